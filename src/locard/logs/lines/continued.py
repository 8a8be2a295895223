"""Lines of text that go on with the record before them: stack traces, and what stands indented below it.

Several writers may share a log: the record before a line is that of the same writer. What belongs to no
record is counted, with a sample, and kept (see `loose_lines`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.logs.lines.added_fields import add_field
from locard.logs.lines.text_sql import bare
from locard.logs.table.sql_text import literal
from locard.logs.table.table import SAMPLE_CHARS
from locard.model.log_reading import Skipped

if TYPE_CHECKING:
    from locard.logs.table.table import Table

UNKNOWN = "in no known format"
BROKEN = "broken JSON"
_MOST_UNKNOWN = 200_000  # lines that are kept until the end
_LONGEST_KEPT = 2000  # characters of such a line
_LINES_OF_RUN = 200
_OTHER_WRITER = 4  # numbers between the lines of two writers: none goes on with the other's
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

_THREADS = ("thread", "thread_name", "threadName", "thread.name", "process.thread.name")
_THREAD_LINE = rf"[\[(]?(?P<thread>[^\s\[\]()]{{1,64}})[\])]?:?[ \t]+(?P<rest>(?:{TRACE}|{BEGINS}))"


class Continued:
    """Keeps the lines that no format reads; `finish` brings them to their records."""

    def __init__(self, table: Table) -> None:
        """`opened` says that there are records whose message stands in the lines below them."""
        self.table = table
        self.opened = False
        self._unknown = 0
        self._broken = 0
        table.db.execute("""
            CREATE TABLE unread (n BIGINT, line VARCHAR, strong BOOLEAN, indented BOOLEAN);
            CREATE TABLE written_by (n BIGINT, writer UBIGINT);
            CREATE TABLE loose (n BIGINT, line VARCHAR)""")

    def add_writers(self, sql: str) -> None:
        """The numbers of lines and a hash of who wrote each; a second one for a line is added to the first."""
        self.table.db.execute(f"INSERT INTO written_by {sql}")

    def keep_broken(self, sql: str) -> str:
        """Keep the rows (n, line) of a query that begin as JSON and are none; the query of the others."""
        begins = f"({bare('line')})[1] = '{{'"
        (broken,) = self.table.one(
            f"INSERT INTO loose SELECT n, left(line, {_LONGEST_KEPT}) FROM ({sql}) WHERE {begins}"  # noqa: S608 - ours
        )
        self._broken += broken
        return f"SELECT n, line FROM ({sql}) WHERE NOT ({begins})" if broken else sql  # noqa: S608 - as above

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
        self._unknown -= self._join_threads()
        unknown = self._unknown - self._join()
        table = self.table
        broken = table.rows("SELECT line FROM loose ORDER BY n LIMIT 1")
        if unknown > 0:
            table.db.execute("INSERT INTO loose SELECT n, line FROM unread")
        samples = {
            BROKEN: (self._broken, broken),
            UNKNOWN: (unknown, table.rows("SELECT line FROM unread ORDER BY n LIMIT 1")),
        }
        found = [
            Skipped(why, lines, rows[0][0][:SAMPLE_CHARS] if rows else "")
            for why, (lines, rows) in samples.items()
            if lines > 0
        ]
        if found:
            skipped = (*table.skipped, *found)
            table.skipped = tuple(sorted(skipped, key=lambda s: (-s.lines, s.reason)))
        (table.loose,) = table.one("SELECT count(*) FROM loose")
        table.db.execute("DROP TABLE unread; DROP TABLE written_by")

    def _join(self) -> int:
        """Bring runs of lines to the record before them; returns how many lines found their place."""
        db = self.table.db
        if not self._unknown:
            return 0
        self._part_writers()
        # The few lines that are asked about, instead of all of them.
        db.execute("""
            CREATE TEMP TABLE before AS
            SELECT v AS _n FROM placed WHERE v IN (SELECT v - 1 FROM unplaced UNION SELECT v - 2 FROM unplaced)""")
        db.execute(f"""
            CREATE TEMP TABLE runs AS
            SELECT min(v) AS first, CASE WHEN min(v) - 1 IN (FROM before) THEN min(v) - 1
                                         WHEN min(v) - 2 IN (FROM before) THEN min(v) - 2 END AS owner,
                   count(*) AS lines, list(n) AS numbers,
                   array_to_string(list(line ORDER BY v)[1:{_LINES_OF_RUN}], chr(10)) AS text,
                   arg_min(line, v) AS head, arg_max(line, v) AS tail,
                   regexp_full_match(arg_min(line, v), {literal(BEGINS)}) AS begins,
                   bool_or(strong) AS strong, bool_and(indented) AS indented
            FROM (SELECT *, sum(CASE WHEN gap THEN 1 ELSE 0 END) OVER (ORDER BY v) AS run FROM (
              -- A blank line in between, as Go leaves one, ends no trace; a record does.
              SELECT *, coalesce(v - lag(v) OVER w > 2 OR (v - lag(v) OVER w = 2
                                 AND v - 1 IN (FROM before)), true) AS gap
              FROM unplaced WINDOW w AS (ORDER BY v)))
            GROUP BY run""")  # noqa: S608 - our own words
        db.execute("""
            ALTER TABLE runs ADD COLUMN next BOOLEAN;
            UPDATE runs SET next = coalesce(owner = first - 1, false);
            UPDATE runs SET owner = placed.n FROM placed WHERE owner = v;
            UPDATE runs SET first = list_min(numbers);
            UPDATE before SET _n = placed.n FROM placed WHERE _n = v""")
        db.execute(f"""
            CREATE TEMP TABLE owned AS SELECT first, owner, text FROM runs
            WHERE strong AND NOT begins AND (next OR owner IN ({self._troubled()}))""")  # noqa: S608 - ours
        joined = self._add_to_messages()
        (traces,) = self.table.one("SELECT coalesce(sum(lines), 0)::BIGINT FROM runs WHERE strong")
        if traces:
            self._add_alone()
            if self.table.wants("exception"):
                self._append(add_field(self.table, "exception"), "owned")
        db.execute("DELETE FROM unread WHERE n IN (SELECT unnest(numbers) FROM runs WHERE strong)")
        db.execute(
            "DROP TABLE runs; DROP TABLE owned; DROP TABLE before; DROP VIEW placed; DROP TABLE unplaced"
        )
        self.table.show()
        return joined + int(traces)

    def _join_threads(self) -> int:
        """Bring lines of traces that begin with the name of a thread to its last record; returns how many."""
        column = next((c for n in _THREADS if (c := self.table.columns.get(n))), None)
        if not self._unknown or column is None or not self.table.wants("exception"):
            return 0
        self.table.db.execute(f"""
            CREATE TEMP TABLE prefixed AS
            SELECT n, v.thread AS thread, v.rest AS rest FROM (
              SELECT n, regexp_extract(line, {literal(_THREAD_LINE)}, ['thread', 'rest']) AS v FROM unread
              WHERE NOT strong AND regexp_full_match(line, {literal(_THREAD_LINE)}));
            CREATE TEMP TABLE of_threads AS
            SELECT owner, list(n) AS numbers, array_to_string(list(rest ORDER BY n)[1:{_LINES_OF_RUN}], chr(10)) AS text
            FROM (SELECT p.n, p.rest, r._n AS owner FROM prefixed p ASOF JOIN (
                    SELECT _n, {column} AS thread FROM raw WHERE {column} IN (SELECT thread FROM prefixed)) r
                  ON p.thread = r.thread AND p.n > r._n)
            GROUP BY owner""")  # noqa: S608 - columns are ours
        joined = "SELECT unnest(numbers) FROM of_threads"
        (lines,) = self.table.one(f"SELECT count(*) FROM ({joined})")  # noqa: S608 - our own words
        if lines:
            self._append(add_field(self.table, "exception"), "of_threads")
            self.table.db.execute(f"DELETE FROM unread WHERE n IN ({joined})")  # noqa: S608 - as above
            self.table.show()
        self.table.db.execute("DROP TABLE prefixed; DROP TABLE of_threads")
        return int(lines)

    def _part_writers(self) -> None:
        """Make `placed` (n, v) of records and `unplaced` of lines: `v` counts the lines writer by writer."""
        db = self.table.db
        (writers,) = self.table.one("SELECT count(DISTINCT writer) FROM written_by")
        if writers <= 1:
            db.execute("""
                CREATE TEMP VIEW placed AS SELECT _n AS n, _n AS v FROM raw;
                CREATE TEMP TABLE unplaced AS SELECT *, n AS v FROM unread""")
            return
        db.execute(f"""
            CREATE OR REPLACE TABLE written_by AS
            SELECT n, row_number() OVER o + {_OTHER_WRITER} * dense_rank() OVER (ORDER BY writer) AS v FROM (
              SELECT n, coalesce(writer, 0) AS writer FROM (
                SELECT n, bit_xor(writer) AS writer FROM written_by GROUP BY n)
                FULL JOIN (SELECT _n AS n FROM raw UNION SELECT n FROM unread) USING (n))
            WINDOW o AS (ORDER BY writer, n);
            CREATE TEMP VIEW placed AS SELECT _n AS n, v FROM raw JOIN written_by ON _n = n;
            CREATE TEMP TABLE unplaced AS SELECT unread.*, v FROM unread JOIN written_by USING (n)""")  # noqa: S608 - a number

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
            CREATE TEMP TABLE below AS SELECT first, owner, text, lines, numbers FROM runs
            WHERE NOT strong AND owner IS NOT NULL
              AND (indented OR {silent})""")  # noqa: S608 - our own words
        (lines,) = self.table.one("SELECT coalesce(sum(lines), 0)::BIGINT FROM below")
        if lines and self.table.wants("message"):
            self._append(add_field(self.table, "message"), "below")
        self.table.db.execute("""
            DELETE FROM unread WHERE n IN (SELECT unnest(numbers) FROM below);
            DROP TABLE below""")
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
