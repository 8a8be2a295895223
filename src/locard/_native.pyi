# Native code of locard. Missing where the package was installed without a compiler.

# The records of one block. Consumers of Arrow read it: column `_n`, then the fields.
class Batch:
    # How many records it holds.
    @property
    def rows(self) -> int: ...

    # A PyCapsule with an ArrowArrayStream; may be asked for again and again.
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

# Reads newline-delimited JSON block by block; a line that is none costs only itself.
class Reader:
    # `deepest` levels of objects become dotted fields, `most_fields` of them in all.
    def __init__(self, *, most_fields: int, deepest: int, sample_chars: int) -> None: ...

    # The records of a block of whole lines; the last one may lack its newline.
    def read(self, block: bytes) -> Batch: ...

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
