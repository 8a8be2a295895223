"""Lines of text that go on with the record before them: stack traces, and what stands indented below it.

What belongs to no record is counted, with a sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.logs.lines.added_fields import add_field
from locard.logs.table.sql_text import literal
from locard.logs.table.table import SAMPLE_CHARS
from locard.model.log_reading import Skipped

if TYPE_CHECKING:
    from locard.logs.table.table import Table

UNKNOWN = "in no known format"
_MOST_UNKNOWN = 200_000  # lines that are kept until the end
_LONGEST_KEPT = 2000  # characters of such a line
_LINES_OF_RUN = 200
_NO_TROUBLE = ("info", "information", "notice", "debug", "trace", "verbose", "i", "d", "t")

# Lines that stand in stack traces and nowhere else.
TRACE = (
    r"at [\w.$<>/@\[\] -]+\([^)]*\).*|at .+:\d+:\d+\)?|\.\.\. \d+ (?:more|common frames omitted)|"
    r"(?:Caused by|Suppressed|Wrapped by): .*|Traceback \(most recent call last\):|"
    r'File "[^"]*", line \d+(?:, in .*)?|During handling of the above exception.*|'
    r"The above exception was the direct cause.*|goroutine \d+ \[.*\]:|created by \S+.*|"
    r"\S+\.go:\d+ \+0x[0-9a-f]+|(?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Fault|Failure)\b(?::.*)?|"
    r"\*\* \((?:\w+\.)*\w+\) .*|from \S+:\d+:in .*|\d+: +0x[0-9a-f]+ - .*|\[stacktrace\]|(?:PHP )?Stack trace:|"
    r"#\d+ +(?:0x[0-9a-f]+|/|\{main\}|\[internal function\]|in |\S+\().*"
)
# Lines that begin one of their own: what they belong to was never logged.
BEGINS = (
    r"panic: .*|fatal error: .*|SIG(?:QUIT|ABRT|SEGV): .*|Exception in thread .*|Unhandled .*|Uncaught .*|"
    r"thread '.*' panicked at .*"
)


class Continued:
    """Keeps the lines that no format reads; `finish` brings them to their records."""

    def __init__(self, table: Table) -> None:
        """`opened` says that there are records whose message stands in the lines below them."""
        self.table = table
        self.opened = False
        self._unknown = 0
        table.db.execute(
            "CREATE TABLE unread (n BIGINT, line VARCHAR, strong BOOLEAN, indented BOOLEAN)"
        )

    def keep(self) -> None:
        """Keep what is unread of the table `sorted`."""
        (lines,) = self.table.one("SELECT count(*) FROM sorted WHERE f IS NULL OR f < 0")
        if not lines:
            return
        self._unknown += lines
        self.table.db.execute(
            f"""INSERT INTO unread SELECT n, left(line, {_LONGEST_KEPT}), f IS NOT NULL, indented
            FROM sorted WHERE f IS NULL OR f < 0
            LIMIT greatest(0, {_MOST_UNKNOWN} - (SELECT count(*) FROM unread))"""  # noqa: S608 - numbers
        )

    def finish(self) -> None:
        """Bring the lines to the records in `raw`, and count those that are left."""
        unknown = self._unknown - self._join()
        table = self.table
        if unknown > 0:
            (sample,) = table.one(f"SELECT left(arg_min(line, n), {SAMPLE_CHARS}) FROM unread")  # noqa: S608
            skipped = (*table.skipped, Skipped(UNKNOWN, unknown, sample or ""))
            table.skipped = tuple(sorted(skipped, key=lambda s: (-s.lines, s.reason)))
        table.db.execute("DROP TABLE unread")

    def _join(self) -> int:
        """Bring runs of lines to the record before them; returns how many lines found their place."""
        db = self.table.db
        if not self._unknown:
            return 0
        # The few lines that are asked about, instead of all of them.
        db.execute("""
            CREATE TEMP TABLE before AS
            SELECT _n FROM raw WHERE _n IN (SELECT n - 1 FROM unread UNION SELECT n - 2 FROM unread)""")
        db.execute(f"""
            CREATE TEMP TABLE runs AS
            SELECT min(n) AS first, CASE WHEN min(n) - 1 IN (FROM before) THEN min(n) - 1
                                         WHEN min(n) - 2 IN (FROM before) THEN min(n) - 2 END AS owner,
                   count(*) AS lines,
                   array_to_string(list(line ORDER BY n)[1:{_LINES_OF_RUN}], chr(10)) AS text,
                   arg_min(line, n) AS head, arg_max(line, n) AS tail,
                   regexp_full_match(arg_min(line, n), {literal(BEGINS)}) AS begins,
                   bool_or(strong) AS strong, bool_and(indented) AS indented
            FROM (SELECT *, sum(CASE WHEN gap THEN 1 ELSE 0 END) OVER (ORDER BY n) AS run FROM (
              -- A blank line in between, as Go leaves one, ends no trace; a record does.
              SELECT *, coalesce(n - lag(n) OVER w > 2 OR (n - lag(n) OVER w = 2
                                 AND n - 1 IN (FROM before)), true) AS gap
              FROM unread WINDOW w AS (ORDER BY n)))
            GROUP BY run""")  # noqa: S608 - our own words
        db.execute(f"""
            CREATE TEMP TABLE owned AS SELECT first, owner, text FROM runs
            WHERE strong AND NOT begins AND (owner = first - 1 OR owner IN ({self._troubled()}))""")  # noqa: S608 - ours
        joined = self._add_to_messages()
        (traces,) = self.table.one("SELECT coalesce(sum(lines), 0)::BIGINT FROM runs WHERE strong")
        if traces:
            self._add_alone()
            if self.table.wants("exception"):
                self._append(add_field(self.table, "exception"), "owned")
        db.execute("DROP TABLE runs; DROP TABLE owned; DROP TABLE before")
        self.table.show()
        return joined + int(traces)

    def _troubled(self) -> str:
        """SQL of the records whose stack trace may stand below a blank line, as Spring writes it.

        A trace that stands so below what tells of no trouble is one of its own.
        """
        level = self.table.columns.get("level")
        quiet = ", ".join(literal(word) for word in _NO_TROUBLE)
        calm = (
            f"coalesce(lower(CAST({level} AS VARCHAR)) IN ({quiet}), false)" if level else "false"
        )
        return f"SELECT _n FROM raw WHERE _n IN (FROM before) AND NOT {calm}"  # noqa: S608 - ours

    def _add_to_messages(self) -> int:
        """Runs that are no traces: lines indented below a record, or below one that leaves its message to them."""
        silent, column = f"{self.opened}", self.table.columns.get("message")
        if column:
            asks = f"({column} IS NULL AND {self.opened}) OR ends_with({column}, ':')"
            silent = f"owner IN (SELECT _n FROM raw WHERE _n IN (FROM before) AND ({asks}))"  # noqa: S608 - ours
        self.table.db.execute(f"""
            CREATE TEMP TABLE below AS SELECT first, owner, text, lines FROM runs
            WHERE NOT strong AND owner IS NOT NULL
              AND (indented OR {silent})""")  # noqa: S608 - our own words
        (lines,) = self.table.one("SELECT coalesce(sum(lines), 0)::BIGINT FROM below")
        if lines and self.table.wants("message"):
            self._append(add_field(self.table, "message"), "below")
        self.table.db.execute("DROP TABLE below")
        return int(lines)

    def _append(self, column: str, runs: str) -> None:
        """Add the texts of runs to a field of the records before them."""
        if not self.table.one(f"SELECT count(*) FROM {runs}")[0]:  # noqa: S608 - our own names
            return
        for part in self.table.writable([column]):
            self.table.db.execute(f"""
                UPDATE {part} AS raw SET {column} = coalesce(raw.{column} || chr(10), '') || {runs}.text
                FROM {runs} WHERE raw._n = owner""")  # noqa: S608 - columns are ours

    def _add_alone(self) -> None:
        """Stack traces that belong to no record become records."""
        alone = "runs WHERE strong AND first NOT IN (SELECT first FROM owned)"
        (count,) = self.table.one(f"SELECT count(*) FROM {alone}")  # noqa: S608 - our own names
        if not count:
            return
        records = f"""SELECT first AS _n, 'error' AS level, text AS exception,
                             CASE WHEN head LIKE 'Traceback%' THEN tail ELSE head END AS message
                      FROM {alone}"""  # noqa: S608 - our own names
        if self.table.encode is not None and not self.table.text_columns:
            self.table.encode(records)
            return
        names = {name: add_field(self.table, name) for name in ("level", "exception", "message")}
        picks = ", ".join(f"{n} AS {self.table.text_column(c)}" for n, c in names.items())
        self.table.db.execute(f"INSERT INTO texts BY NAME SELECT _n, {picks} FROM ({records})")  # noqa: S608 - ours
        self.table.records += int(count)
