"""Lines that are no JSON: read by the text formats, by DuckDB, a batch at a time.

Each line goes to the first format that fits it. Stack traces join the record before them. What no
format can read is counted, with a sample.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from typing import TYPE_CHECKING

from locard.logs.line_format import SYSLOG_LEVELS, TextFormat, text_formats
from locard.logs.side_table import SideTable, add_field
from locard.logs.sql_text import literal
from locard.logs.table import MOST_FIELDS, SAMPLE_CHARS
from locard.model.facts import Skipped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.table import Table

UNKNOWN = "in no known format"
_MOST_UNKNOWN = 200_000  # lines that are kept until the end, as parts of stack traces
_LONGEST_KEPT = 2000  # characters of such a line
_LINES_OF_TRACE = 200
_DAY_S = 86_400.0

# Lines that stand in stack traces and nowhere else.
_TRACE = (
    r"at [\w.$<>/@\[\] -]+\([^)]*\).*|at .+:\d+:\d+\)?|\.\.\. \d+ (?:more|common frames omitted)|"
    r"(?:Caused by|Suppressed|Wrapped by): .*|Traceback \(most recent call last\):|"
    r'File "[^"]*", line \d+(?:, in .*)?|During handling of the above exception.*|'
    r"The above exception was the direct cause.*|goroutine \d+ \[.*\]:|created by \S+.*|"
    r"\S+\.go:\d+ \+0x[0-9a-f]+|(?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Fault|Failure)\b(?::.*)?|"
    r"from \S+:\d+:in .*|\d+: +0x[0-9a-f]+ - .*"
)
# Lines that begin one of their own: what they belong to was never logged.
_BEGINS = (
    r"panic: .*|fatal error: .*|SIG(?:QUIT|ABRT|SEGV): .*|Exception in thread .*|Unhandled .*|Uncaught .*|"
    r"thread '.*' panicked at .*"
)
_TRACE_FIRST = 40  # the rank before which stack traces are looked for


class TextLines:
    """Reads lines into records of the table; `finish` brings them in."""

    def __init__(self, table: Table, now: float | None = None) -> None:
        """`now` (Unix time) gives lines without a year or a date theirs."""
        self.table = table
        self.now = time.time() if now is None else now
        self.by_format: Counter[str] = Counter()
        self._unknown = 0
        self._sample = ""
        self._records = SideTable(table, "spoken")
        self._heads = SideTable(table, "heads")
        table.db.execute("CREATE TABLE unread (n BIGINT, line VARCHAR, strong BOOLEAN)")

    def add_text(self, numbers: Sequence[int], lines: Sequence[str]) -> None:
        """Lines with their numbers in the source."""
        self.add_query(
            "SELECT unnest($n::BIGINT[]) AS n, unnest($l::VARCHAR[]) AS line",
            {"n": list(numbers), "l": list(lines)},
        )

    def add_query(self, sql: str, parameters: dict[str, object] | None = None) -> int:
        """The rows (n, line) of a query; returns how many there were. Blank ones are left out."""
        self._sort(sql, parameters)
        counts = self.table.rows("SELECT f, count(*) FROM sorted GROUP BY f")
        formats = text_formats()
        for which, lines in counts:
            if which is not None and which >= 0:
                name, form = formats[which]
                self.by_format[name] += lines
                self._extract(self._records, form, which)
        self._keep_unread(sum(n for f, n in counts if f is None or f < 0))
        return sum(n for _, n in counts)

    def add_heads(self, sql: str) -> set[int]:
        """What stands before a JSON object on its line: its fields fill those of the record.

        Returns the numbers of the lines whose head a format could read.
        """
        self._sort(sql, None)
        formats = text_formats()
        for (which,) in self.table.rows("SELECT DISTINCT f FROM sorted WHERE f >= 0"):
            self._extract(self._heads, formats[which][1], which)
        return {n for (n,) in self.table.rows("SELECT n FROM sorted WHERE f >= 0")}

    def _sort(self, sql: str, parameters: dict[str, object] | None) -> None:
        """Make `sorted`: each line with the number of its format, -1 for a trace, else null."""
        cases = []
        trace = f"WHEN regexp_full_match(line, {literal(_TRACE + '|' + _BEGINS)}) THEN -1"
        for i, (_, form) in enumerate(text_formats()):
            if form.rank >= _TRACE_FIRST and trace:
                cases.append(trace)
                trace = ""
            cases.append(f"WHEN regexp_full_match(line, {literal(form.pattern)}) THEN {i}")
        self.table.db.execute(
            f"""CREATE OR REPLACE TEMP TABLE sorted AS
            SELECT n, line, CASE {" ".join(cases)} END AS f
            FROM (SELECT n, trim(line, E' \\t\\r\\f\\x0b' || chr(65279)) AS line FROM ({sql}))
            WHERE line <> ''""",  # noqa: S608 - our own words
            parameters,
        )

    def _extract(self, into: SideTable, form: TextFormat, which: int) -> None:
        groups = form.groups
        names = "[" + ", ".join(map(literal, groups)) + "]"
        source = f"""(SELECT n, line, regexp_extract(line, {literal(f"^(?:{form.pattern})$")}, {names}) AS v
                      FROM sorted WHERE f = {which})"""  # noqa: S608 - our own words
        values: dict[str, str] = {}
        for group in groups:
            name = form.names.get(group, group)
            value = f"nullif(nullif(v.{group}, ''), '-')"
            if group == "pairs":
                continue
            if group == "pri":
                name, value = "level", _level_of_priority(value)
            elif group == "level":
                value = _level(value, form)
            elif group == "time":
                value = self._time(value, form.time)
            if group == "quoted":
                value = f"replace({value}, '\\\"', '\"')"
            values[name] = f"coalesce({values[name]}, {value})" if name in values else value
        if "pairs" in groups:
            source, pairs = self._pairs(source)
            for key, value in pairs.items():
                values[key] = f"coalesce({values[key]}, {value})" if key in values else value
        into.insert(values, "n", source)

    def _pairs(self, source: str) -> tuple[str, dict[str, str]]:
        """The key=value pairs of the group `pairs`, each key a field."""
        pair = r'([A-Za-z_@][\w.@/-]*)=("(?:[^"\\]|\\.)*"|[^\s"\]]*)'
        self.table.db.execute(
            f"""CREATE OR REPLACE TEMP TABLE paired AS
            SELECT *, regexp_extract_all(v.pairs, {literal(pair)}, 1) AS keys,
                   regexp_extract_all(v.pairs, {literal(pair)}, 2) AS texts FROM {source}"""  # noqa: S608
        )
        found = self.table.rows(
            "SELECT k FROM (SELECT unnest(keys) AS k FROM paired) GROUP BY k ORDER BY count(*) DESC, k"
        )
        # Keys come from the log: however many there are, the question stays short.
        self._records.left_out.update(key for (key,) in found[MOST_FIELDS:])
        out = {}
        for (key,) in found[:MOST_FIELDS]:
            text = f"texts[list_position(keys, {literal(key)})]"
            plain = f"CASE WHEN json_valid({text}) THEN json_extract_string({text}, '$') ELSE trim({text}, '\"') END"
            out[key] = f"nullif(CASE WHEN {text}[1] = '\"' THEN {plain} ELSE {text} END, '')"
        return "paired", out

    def _time(self, value: str, form: str) -> str:
        """ISO text, with a Z where the zone was known."""
        if form == "iso":
            return f"replace({value}, ',', '.')"
        day = dt.datetime.fromtimestamp(self.now, dt.UTC)
        text, full = f"regexp_replace(replace({value}, ',', '.'), ' +', ' ', 'g')", form
        full = full.replace("%S.%f", "%S.%f")
        step = ""
        if "%Y" not in form:
            without_day = "%d" not in form
            text = f"'{day:%Y-%m-%d} ' || {text}" if without_day else f"'{day:%Y} ' || {text}"
            full = ("%Y-%m-%d " if without_day else "%Y ") + form
            step = "INTERVAL 1 DAY" if without_day else "INTERVAL 1 YEAR"
        moment = f"make_timestamp(epoch_us(try_strptime({text}, {literal(full)})))"
        if step:  # what would lie ahead was written a year, or a day, ago
            moment = (
                f"CASE WHEN epoch({moment}) > {self.now + _DAY_S / 24} "
                f"THEN {moment} - {step} ELSE {moment} END"
            )
        zone = "Z" if "%z" in form else ""
        return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%f{zone}')"

    def _keep_unread(self, lines: int) -> None:
        if not lines:
            return
        self._unknown += lines
        self.table.db.execute(
            f"""INSERT INTO unread SELECT n, left(line, {_LONGEST_KEPT}), f IS NOT NULL
            FROM sorted WHERE f IS NULL OR f < 0
            LIMIT greatest(0, {_MOST_UNKNOWN} - (SELECT count(*) FROM unread))"""  # noqa: S608 - numbers
        )

    @property
    def records(self) -> int:
        """How many records there are so far; `finish` copies them."""
        return self._records.rows

    def finish(self) -> None:
        """Bring the records into `raw`, stack traces into theirs, and count what is left."""
        self._heads.fill_raw()
        self._records.append_to_raw()
        joined = self._join_traces()
        table = self.table
        unknown = self._unknown - joined
        if unknown > 0:
            (sample,) = table.one(f"SELECT left(arg_min(line, n), {SAMPLE_CHARS}) FROM unread")  # noqa: S608
            skipped = (*table.skipped, Skipped(UNKNOWN, unknown, sample or ""))
            table.skipped = tuple(sorted(skipped, key=lambda s: (-s.lines, s.reason)))
        table.db.execute("DROP TABLE unread")

    def _join_traces(self) -> int:
        """Runs of lines with a stack trace in them go to the record that stands before.

        Returns how many lines found their place.
        """
        db = self.table.db
        if not self.table.one("SELECT count(*) FROM unread WHERE strong")[0]:
            return 0
        # The few lines that are asked about, instead of all of them.
        db.execute("""
            CREATE TEMP TABLE before AS
            SELECT _n FROM raw WHERE _n IN (SELECT n - 1 FROM unread)""")
        db.execute(f"""
            CREATE TEMP TABLE runs AS
            SELECT min(n) AS first, count(*) AS lines,
                   array_to_string(list(line ORDER BY n)[1:{_LINES_OF_TRACE}], chr(10)) AS text,
                   arg_min(line, n) AS head, arg_max(line, n) AS tail,
                   regexp_full_match(arg_min(line, n), {literal(_BEGINS)}) AS begins
            FROM (SELECT *, sum(CASE WHEN gap THEN 1 ELSE 0 END) OVER (ORDER BY n) AS run FROM (
              -- A blank line in between, as Go leaves one, ends no trace; a record does.
              SELECT *, coalesce(n - lag(n) OVER w > 2 OR (n - lag(n) OVER w = 2
                                 AND n - 1 IN (FROM before)), true) AS gap
              FROM unread WINDOW w AS (ORDER BY n)))
            GROUP BY run HAVING bool_or(strong)""")  # noqa: S608 - our own words
        db.execute("""
            CREATE TEMP TABLE owned AS SELECT first, text FROM runs
            WHERE NOT begins AND first - 1 IN (FROM before);
            DROP TABLE before""")
        stack = add_field(self.table, "exception")
        if self.table.one("SELECT count(*) FROM owned")[0]:
            for part in self.table.writable([stack]):
                db.execute(f"""
                    UPDATE {part} AS raw SET {stack} = coalesce(raw.{stack} || chr(10), '') || owned.text
                    FROM owned WHERE raw._n = first - 1""")  # noqa: S608 - columns are ours
        alone = self._add_alone(stack)
        self.table.records += alone
        (joined,) = self.table.one("SELECT coalesce(sum(lines), 0)::BIGINT FROM runs")
        db.execute("DROP TABLE runs; DROP TABLE owned")
        self.table.show()
        return int(joined)

    def _add_alone(self, stack: str) -> int:
        """Stack traces that belong to no record become records; how many there were."""
        alone = "runs WHERE first NOT IN (SELECT first FROM owned)"
        (count,) = self.table.one(f"SELECT count(*) FROM {alone}")  # noqa: S608 - our own names
        if count:
            level, message = add_field(self.table, "level"), add_field(self.table, "message")
            for column in (level, message, stack):
                self.table.text_column(column)
            self.table.db.execute(f"""
                INSERT INTO texts BY NAME
                SELECT first AS _n, 'error' AS {level}, text AS {stack},
                       CASE WHEN head LIKE 'Traceback%' THEN tail ELSE head END AS {message}
                FROM {alone}""")  # noqa: S608 - columns are ours
        return int(count)


def _level(value: str, form: TextFormat) -> str:
    if not form.levels:
        return f"lower({value})"
    cases = " ".join(f"WHEN {literal(k)} THEN {literal(word)}" for k, word in form.levels.items())
    return f"CASE lower({value}) {cases} ELSE lower({value}) END"


def _level_of_priority(value: str) -> str:
    words = "[" + ", ".join(map(literal, SYSLOG_LEVELS)) + "]"
    return f"{words}[(TRY_CAST({value} AS INTEGER) % 8) + 1]"
