# Native code of locard. Missing where the package was installed without a compiler.

# The records of one block. Consumers of Arrow read it: column `_n`, then the fields.
class Batch:
    # How many records it holds.
    @property
    def rows(self) -> int: ...

    # A PyCapsule with an ArrowArrayStream; may be asked for again and again.
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

# Message templates, mined from messages one by one.
class Templates:
    def __init__(self) -> None: ...

    # The number of the message's skeleton; -1 where there are too many of them.
    def add(self, message: str) -> int: ...

    # Text with <*> for what varies, number of messages and one of them; the most frequent first.
    def found(self) -> list[tuple[str, int, str]]: ...

    # For each skeleton the index of its template in `found`.
    def groups(self) -> list[int]: ...

    # Messages beyond the most skeletons that are kept apart.
    @property
    def left_out(self) -> int: ...

# Reads newline-delimited JSON block by block; a line that is none costs only itself.
class Reader:
    # `deepest` levels of objects become dotted fields, `most_fields` of them in all. With
    # `hands_out` lines that are not JSON are to be asked for (`text`) and not counted as skipped;
    # with `mines` the templates of messages are counted. Of the fields of `only`, if there are any,
    # nothing else is kept, and nothing else checked beyond its braces, brackets and quotes.
    def __init__(
        self,
        *,
        most_fields: int,
        deepest: int,
        sample_chars: int,
        hands_out: bool = False,
        mines: bool = False,
        only: list[str] = [],
    ) -> None: ...

    # Reads a block of whole lines; the last one may lack its newline. An object that follows another
    # on its line counts as a line of its own.
    def read(self, block: bytes) -> None: ...

    # How many values, and lines to be handed out, have come since the last `take`.
    @property
    def pending(self) -> int: ...

    # The records since the last `take`.
    def take(self) -> Batch: ...

    # The lines of the last batch that are not JSON: columns `_n` and `line`.
    def text(self) -> Batch: ...

    # As `Templates.found`, of the fields that hold messages.
    def templates(self) -> list[tuple[str, int, str]]: ...

    # Lines so far, the skipped ones too.
    @property
    def lines(self) -> int: ...

    # Records so far.
    @property
    def records(self) -> int: ...

    # Reason, number of lines, and the first such line, for the lines that were skipped.
    @property
    def skipped(self) -> list[tuple[str, int, str]]: ...

    # Dotted name and column of each field so far, in the order of discovery.
    @property
    def fields(self) -> list[tuple[str, str]]: ...

    # How many fields there were beyond `most_fields`.
    @property
    def fields_left_out(self) -> int: ...
