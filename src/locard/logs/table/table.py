"""The records of a log as a table, whichever engine has read them.

`raw` has one row a record and one text column a field (nested fields dotted: `http.status`); numbers
keep their text, so "503" and 503 are the same. One column is locard's own: `_n`, the number of the
line in the source, so that order is never lost; an object that shares a line with others counts as a
line of its own.

`raw` is a view over two tables: `cells`, which the native scanner fills with numbers, times and codes
(see `stored`), and `texts`, where every field is text. What reads millions of values asks `number` and
`lifted` for an expression that need not look at each text; those read the view `raw_kept`, where the
values stand beside their texts as they are kept (`c5_kept`), and the shapes of messages and paths
(`c5s`: the number of the skeleton or endpoint + 1, the latter in the variable `endpoints_of_c5`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from locard.logs.table.kept_values import Stored
from locard.logs.table.memory import LEAST_MB
from locard.model.log_reading import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import duckdb

    from locard.model.log_beginning import Origin
    from locard.model.log_holes import RateLimit
    from locard.model.workload import WorkloadStates

    OnText = Callable[[], None]

MOST_FIELDS = 1024
DEEPEST = 4  # levels of objects that become fields
SAMPLE_CHARS = 200
MOST_SAMPLED = 8192  # lines; as the scanner has it
ENOUGH = 200_000  # records for a quantile that only sets a limit
MOST_IN_QUANTILE = 1_000_000
CELLS = "t.main.cells"  # as other connections to the same database name it

# Lines that are not JSON, as engines hand them out: a table `text_lines` (`_n` BIGINT as in `raw`,
# `line` VARCHAR with its leading white space) that is there while the callback runs, and no longer.
# Where nobody asks for them they are counted as skipped.
TEXT_LINES = "text_lines"
TEMPLATES = "templates"  # variable: the template of each skeleton


@dataclass(slots=True)
class Tally:
    """Skipped lines by reason, with one sample each."""

    lines: dict[str, int] = field(default_factory=dict)
    sample: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, lines: int, sample: str) -> None:
        """Count more lines; the first sample stays."""
        self.lines[reason] = self.lines.get(reason, 0) + lines
        self.sample.setdefault(reason, sample)

    def skipped(self) -> tuple[Skipped, ...]:
        """The most frequent reason first."""
        most_first = sorted(self.lines.items(), key=lambda item: (-item[1], item[0]))
        return tuple(Skipped(r, n, self.sample[r]) for r, n in most_first)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the scanner saw of a column: how many values, about how many different ones, some of them.

    `samples` are those of lines whose number `sampled_every` divides, in any order; `frequent` has
    the frequent values with about how many they are, where they were too many to count.
    """

    count: int
    distinct: int
    samples: list[tuple[int, str]]
    frequent: list[tuple[str, int]]


@dataclass(slots=True)
class Table:
    """The relation `raw` in a private in-memory database. `columns` maps a field to its column.

    `stored` says how `cells` keeps its columns; all others of `raw` are in `texts`.
    """

    db: duckdb.DuckDBPyConnection
    engine: str
    columns: dict[str, str] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)
    # Columns of `cells` with the shapes of their texts beside: skeletons of messages, or endpoints.
    shapes: dict[str, str] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)  # by column of `cells`
    # Arrays, and objects that are empty or too deep, as they are written: field to column, apart from
    # `columns`, as a field may have both.
    raws: dict[str, str] = field(default_factory=dict)
    keys: frozenset[str] = (
        frozenset()
    )  # the names that the native scanner met, also of what it left out
    text_columns: set[str] = field(default_factory=set)  # of `texts`
    wanted: frozenset[str] = frozenset()  # the fields that a question reads; all if there are none
    message: str = ""  # SQL over `raw` of what a record says, once roles are known
    lines: int = 0
    records: int = 0
    skipped: tuple[Skipped, ...] = ()
    # The number of the first line that may be no JSON as jq reads it; None if all lines are, or are blank.
    first_odd: int | None = 0
    partial: str = ""  # why it does not hold the whole source, in words
    cut_before: str = ""  # why it lacks the older part of what was read, in words
    origins: Callable[[], tuple[Origin, ...]] | None = None  # asks the source where its logs begin
    limits: Callable[[], tuple[RateLimit, ...]] | None = (
        None  # asks it how many lines it lets through
    )
    workload: Callable[[], WorkloadStates | None] | None = None  # asks it how its pods stand
    fields_left_out: int = 0
    notes: list[str] = field(default_factory=list)  # what of it cannot be known, in words
    given: dict[str, str] = field(default_factory=dict)  # role to field, as the user said
    memory_mb: int = LEAST_MB
    spills: bool = False  # what does not fit into the memory goes to a file
    # Takes records that were read from text, as SQL of the number of a line and of texts under the names of
    # their fields; None where they have to go to `texts`.
    encode: Callable[[str], None] | None = None
    unwrapped: bool = False  # whether lines were changed before an engine read them
    # First line, number of lines, offset and size of the blocks that were read from a file.
    places: tuple[tuple[int, int, int, int], ...] = ()
    from_text: int = 0  # records that were read from text
    loose: int = (
        0  # lines in no known format, in the table `loose` (n, line) until they become records
    )
    _lifted: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the relations, empty."""
        for name in ("cells", "texts"):
            self.db.execute(f"CREATE OR REPLACE TABLE {name} (_n BIGINT)")
        self.show()

    @property
    def cap_reached(self) -> str:
        """Why it is partial where the memory was full."""
        return f"the memory cap of {self.memory_mb} MB was reached"

    def rows(
        self, sql: str, parameters: list[Any] | dict[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows of one query."""
        return self.db.execute(sql, parameters or []).fetchall()

    def one(
        self, sql: str, parameters: list[Any] | dict[str, Any] | None = None
    ) -> tuple[Any, ...]:
        """The only row of one query."""
        return self.rows(sql, parameters)[0]

    @property
    def sampled_every(self) -> int:
        """Which lines are looked at to tell what a field holds: those it divides, at most 8192."""
        every = 1
        while self.lines > every * MOST_SAMPLED:
            every *= 2
        return every

    @property
    def thinned(self) -> str:
        """SQL over `ev` for enough of its records to tell where durations and times mostly lie."""
        return self._part(ENOUGH) or "true"

    @property
    def durations(self) -> str:
        """SQL over `ev` of durations to take quantiles of: of millions where there are more.

        DuckDB holds all values of a quantile in memory.
        """
        part = self._part(MOST_IN_QUANTILE)
        return f"CASE WHEN {part} THEN dur END" if part else "dur"

    def _part(self, most: int) -> str:
        """SQL over `ev` that picks about so many records, whatever rhythm their lines have."""
        every = self.records // most
        return f"hash(n) % {every} = 0" if every > 1 else ""

    def note(self, words: str) -> None:
        """Add to the notes, once."""
        if words not in self.notes:
            self.notes.append(words)

    def show(self) -> None:
        """Make the views anew: after columns have come or changed their kind."""
        self._lifted.clear()
        names = [*self.columns.values(), *self.raws.values()]
        kept = [c for c in self.stored if c in names]
        beside = [*(f"{c}_kept" for c in kept), *(f"{c}s" for c in sorted(self.shapes))]
        none = "NULL::VARCHAR"
        picks = [
            "_n",
            *(f"{self.stored[c].text if c in kept else none} AS {c}" for c in names),
            *(f"{c} AS {c}_kept" for c in kept),
            *beside[len(kept) :],
        ]
        view = f"SELECT {', '.join(picks)} FROM cells"  # noqa: S608 - columns are ours
        if self.text_columns or not self.stored:
            picks = [
                "_n",
                *(f"{c if c in self.text_columns else none} AS {c}" for c in names),
                *(f"NULL AS {c}" for c in beside),
            ]
            view += f" UNION ALL SELECT {', '.join(picks)} FROM texts"  # noqa: S608 - as above
        self.db.execute(f"CREATE OR REPLACE VIEW raw_kept AS {view}")
        listed = ", ".join(["_n", *names])
        self.db.execute(f"CREATE OR REPLACE VIEW raw AS SELECT {listed} FROM raw_kept")  # noqa: S608 - as above

    def wants(self, name: str) -> bool:
        """Whether anybody asks for a field."""
        return not self.wanted or name in self.wanted

    def text_column(self, column: str) -> str:
        """A column of `texts`, made if it is not there yet."""
        if column not in self.text_columns:
            self.db.execute(f"ALTER TABLE texts ADD COLUMN {column} VARCHAR")
            self.text_columns.add(column)
        return column

    def writable(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Columns of `raw` as text columns of the tables that it shows, which are given back.

        To fill fields of records that are there already: `UPDATE` each of the tables.
        """
        kept = bool(self.one("SELECT count(*) FROM cells")[0])
        for column in columns:
            self.text_column(column)
            known = self.stored.get(column)
            if not kept or (known is not None and known.kind == "texts"):
                continue
            if known is None:
                self.db.execute(f"ALTER TABLE cells ADD COLUMN {column} VARCHAR")
            else:
                self.db.execute(f"ALTER TABLE cells ALTER {column} TYPE VARCHAR USING {known.text}")
            self.stored[column] = Stored(column)
            self.seen.pop(column, None)
        return ("cells", "texts") if kept else ("texts",)

    def kept(self, column: str) -> Stored | None:
        """How a column is kept, if all of its values are kept so."""
        found = self.stored.get(column)
        return found if found is not None and not self.has_texts else None

    @property
    def has_texts(self) -> bool:
        """Whether there are records whose fields are all text."""
        return bool(self.text_columns) and bool(self.one("SELECT count(*) FROM texts")[0])

    def number(self, column: str) -> str | None:
        """SQL over `raw_kept` of a column's values as DOUBLE (of times: Unix time in s), if that is cheap.

        None where each text has to be read, and where the column is none of `raw` but an expression.
        """
        found = self.kept(column)
        if found is None or found.number is None:
            return None
        return replace(found, column=f"{column}_kept").number

    def endpoint(self, column: str) -> tuple[str, str] | None:
        """For a path whose endpoints were found while it was read: their variable, their codes' column."""
        if self.shapes.get(column) != "endpoints" or self.has_texts:
            return None
        return f"endpoints_of_{column}", f"{column}s"

    def looked_up(self, variable: str, codes: str, value: str, sql: str) -> str:
        """SQL over `raw_kept` that gives `sql` of the text of a code, each text looked at once.

        `value` is what the text is called in `sql`; the texts are a list in `variable`.
        """
        if (variable, sql) not in self._lifted:
            name = f"lifted_{len(self._lifted)}"
            self.db.execute(
                f"SET VARIABLE {name} = (SELECT list({sql} ORDER BY i) FROM (SELECT unnest(l) AS {value}, "  # noqa: S608 - columns are ours
                f"unnest(range(len(l))) AS i FROM (SELECT getvariable('{variable}') AS l)))"
            )
            self._lifted[variable, sql] = f"getvariable('{name}')"
        return f"{self._lifted[variable, sql]}[{codes}]"

    def lifted(self, column: str, sql: str) -> str:
        """The same as `sql`, which reads the text column `column` and no other, over `raw_kept`.

        Where the column has few different texts, each is looked at once and not in every row.
        """
        found = self.kept(column)
        if found is None or found.kind != "codes":
            return sql
        return self.looked_up(found.dictionary, f"{column}_kept", column, sql)

    def keep_newer_half(self) -> None:
        """Make room for questions: the older half of the records goes, and that is said."""
        (middle,) = self.one("SELECT (min(_n) + max(_n)) / 2 FROM raw")
        self._keep(f"_n >= {middle!r}")
        self.db.execute("CHECKPOINT")
        self.cut_before = f"{self.cap_reached}: of what was read only the newer part was judged"
        self._say(self.cut_before)

    def keep_one_in(self, many: int) -> None:
        """Make questions quicker: one record in so many stays, from everywhere, and that is said."""
        before = self.records
        self._keep(f"hash(_n) % {many} = 0")
        self._say(
            f"the time budget ended while it was judged: of {before:,} records that were read {self.records:,} "
            "were judged, drawn from all of them; counts are those of this sample"
        )

    def _keep(self, where: str) -> None:
        self.db.execute("DROP TABLE IF EXISTS ev")
        for name in ("cells", "texts"):
            self.db.execute(f"DELETE FROM {name} WHERE NOT ({where})")  # noqa: S608 - our names
        before = self.records
        (self.records,) = self.one("SELECT count(*) FROM raw")
        left = self.records / before if before else 1.0
        self.seen = {c: replace(s, count=round(s.count * left)) for c, s in self.seen.items()}

    def _say(self, why: str) -> None:
        known = (part for part in (self.partial, why) if part)
        self.partial = "; ".join(dict.fromkeys(known))


def connect(threads: int, memory_mb: int = LEAST_MB, spill: str = "") -> duckdb.DuckDBPyConnection:
    """A private in-memory DuckDB that reads no files, loads nothing and cannot be told to.

    What does not fit into the memory goes into the folder `spill`, below locard's own state; without
    one it does not fit.
    """
    import duckdb  # noqa: PLC0415 - a tenth of a second that --help must not pay

    db = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": spill,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
            "arrow_lossless_conversion": True,  # ids leave as 16 bytes, not as text
            # Compression costs more than all the rest: only when memory runs short (see loading).
            "checkpoint_threshold": "1TB",
        },
    )
    db.execute("ATTACH ':memory:' AS t (COMPRESS)")
    db.execute("USE t")
    db.execute("SET TimeZone = 'UTC'")  # of times that name none
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")
    return db
