# Native code of locard. Missing where the package was installed without a compiler.

from collections.abc import Callable, Sequence

# Whether a block of whole lines has wrapped ones, or many that are no JSON, by some of them; see
# `Scanner.scan`. `begins`: it is of the beginning of a log, which is looked at with more care.
def is_odd(
    block: bytes,
    begins: bool,
    words: Sequence[str],
    is_wrapped: Callable[[bytes], bool] | None = None,
) -> bool: ...

# The records of one block. Consumers of Arrow read it: column `_n`, then the fields.
class Batch:
    # How many records it holds.
    @property
    def rows(self) -> int: ...

    # A PyCapsule with an ArrowArrayStream; may be asked for again and again.
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

# Message templates, mined from messages one by one.
class Templates:
    # `plain`: without the vectors of this processor, which change nothing (to compare).
    def __init__(self, *, plain: bool = False) -> None: ...

    # The number of the message's skeleton; -1 where there are too many of them.
    def add(self, message: str | bytes) -> int: ...

    # The messages of a stream of Arrow with two columns, number of the row and message. Gives for each that
    # has one the number of its skeleton + 1 as column `said`, 0 where there are too many. Raises RuntimeError.
    def add_rows(self, rows: object) -> Batch: ...

    # Text with <*> for what varies, number of messages and one of them; the most frequent first.
    def found(self) -> list[tuple[str, int, str]]: ...

    # For each skeleton the index of its template in `found`.
    def groups(self) -> list[int]: ...

    # Messages beyond the most skeletons that are kept apart.
    @property
    def left_out(self) -> int: ...

# Reads newline-delimited JSON; a line that is none costs only itself.
class Scanner:
    # `deepest` levels of objects become dotted fields, `most_fields` of them in all. With
    # `hands_out` lines that are not JSON are to be asked for (`text`) and not counted as skipped;
    # with `mines` the templates of messages are counted. Of the fields of `only`, if there are any,
    # nothing else is kept; all of a line is checked all the same.
    # `few_texts`: fields with more different texts, most of them different, are no codes.
    # `guesses`: lines are tried by the steps of earlier ones (off to compare). `raws`: arrays, and objects
    # that are empty or deeper than `deepest`, are kept as they are written, as fields of their own.
    def __init__(
        self,
        *,
        most_fields: int,
        deepest: int,
        sample_chars: int,
        hands_out: bool = False,
        mines: bool = False,
        only: Sequence[str] = [],
        threads: int = 1,
        few_texts: int = 1024,
        guesses: bool = True,
        raws: bool = False,
    ) -> None: ...

    # Reads a block of whole lines; the last one may lack its newline. An object that follows another
    # on its line counts as a line of its own.
    def read(self, block: bytes) -> None: ...

    # Reads about `most` bytes of a file by all threads, whole lines from `offset` to `end` at most.
    # Gives the offset of what was not read, and whether it was left because the next block may be
    # wrapped (`words` stand in such lines of JSON, `is_wrapped` knows others) or no JSON. Raises OSError.
    def scan(
        self,
        file: int,
        offset: int,
        end: int,
        most: int,
        words: Sequence[str],
        is_wrapped: Callable[[bytes], bool] | None = None,
    ) -> tuple[int, bool]: ...

    # Takes records that were read from text, as an Arrow stream: the number of a line, then texts, each
    # column under the name of its field.
    def read_records(self, records: object) -> None: ...

    # How many values, and lines to be handed out, have come since the last `take`.
    @property
    def pending(self) -> int: ...

    # The records since the last `take`, with the columns of `fields`.
    def take(self) -> Batch: ...

    # The lines of the last batch that are not JSON: columns `_n` and `line`.
    def text(self) -> Batch: ...

    # As `Templates.found` and `Templates.groups`, of the fields that hold messages.
    def templates(self) -> list[tuple[str, int, str]]: ...
    def template_groups(self) -> list[int]: ...

    # The texts of a field that is kept as codes; code 1 is the first. The endpoints of one that has
    # these as shapes.
    def dictionary(self, field: int) -> list[str]: ...
    def endpoints(self, field: int) -> list[str]: ...

    # How many values a field has, and the number of the line and the text, cut to `sample_chars`, of
    # those on lines whose number is divisible by the smallest power of two that leaves 8192 lines.
    def values(self, field: int) -> tuple[int, list[tuple[int, str]]]: ...

    # Of a field that is no codes: about how many different values, and the frequent ones with about
    # how many they are, most first.
    def sketch(self, field: int) -> tuple[int, list[tuple[str, int]]]: ...

    # Lines so far, the skipped ones too.
    @property
    def lines(self) -> int: ...

    # Records so far.
    @property
    def records(self) -> int: ...

    # First line, number of lines, offset and size of each block that was read from a file, as of the last
    # `take`.
    @property
    def places(self) -> list[tuple[int, int, int, int]]: ...

    # The number of the first line that is neither blank nor one JSON object, as of the last `take`; -1 if
    # all lines are.
    @property
    def first_odd(self) -> int: ...

    # Lines that took steps of earlier ones only.
    @property
    def guessed(self) -> int: ...

    # Reason, number of lines, and the first such line, for the lines that were skipped.
    @property
    def skipped(self) -> list[tuple[str, int, str]]: ...

    # Dotted name, column, kind, how it is written (see `locard.logs.table.kept_values`), what its column of
    # shapes holds ("skeletons", "endpoints" or nothing), the size of its dictionary, and whether it is raw; as of the
    # last `take`.
    @property
    def fields(self) -> list[tuple[str, str, str, str, str, int, bool]]: ...

    # The dotted names of all keys that were met, also of what is not asked for.
    @property
    def keys(self) -> list[str]: ...

    # How many fields there were beyond `most_fields`.
    @property
    def fields_left_out(self) -> int: ...
