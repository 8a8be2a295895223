"""Lines that are no JSON: read by the text formats, by DuckDB, a batch at a time.

Each line goes to the first format that fits it. Stack traces join the record before them. What no
format can read is counted, with a sample.
"""

from __future__ import annotations

import datetime as dt
import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.line_format import SYSLOG_LEVELS, TextFormat, text_formats
from locard.logs.side_table import SideTable, add_field
from locard.logs.sql_text import literal
from locard.logs.table import MOST_FIELDS, SAMPLE_CHARS
from locard.logs.text_sql import Read, any_of, bare, by_pattern, by_pieces, by_plain_pairs
from locard.model.log_facts import Skipped

if TYPE_CHECKING:
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
_TRIED_TOGETHER = 8  # patterns
_LOOKED_AT = 1024  # lines, to find out what the usual format is


@dataclass(frozen=True, slots=True)
class _Usual:
    """The format that most lines were in so far, by its number, and in how many pieces (see there)."""

    which: int
    pieces: tuple[str, ...]
    lines: int


class TextLines:
    """Reads lines into records of the table; `finish` brings them in."""

    def __init__(self, table: Table, now: float | None = None) -> None:
        """`now` (Unix time) gives lines without a year or a date theirs."""
        self.table = table
        self.now = time.time() if now is None else now
        self._unknown = 0
        self._usual: _Usual | None = None
        self._records = SideTable(table, "spoken")
        self._heads = SideTable(table, "heads")
        table.db.execute("CREATE TABLE unread (n BIGINT, line VARCHAR, strong BOOLEAN)")

    def add_query(self, sql: str) -> None:
        """The rows (n, line) of a query; no two have the same n. Blank lines are left out."""
        if self._usual is None:
            self._sort(f"FROM ({sql}) LIMIT {_LOOKED_AT}")
            self._usual = self._most_frequent()
        done, rest = self._read_usual(sql)
        if not rest:
            return
        self._sort(rest)
        self._insert_sorted(self._records)
        self._keep_unread()
        found = self._most_frequent()
        if found is not None and found.lines > done:
            self._usual = found

    def add_heads(self, sql: str) -> set[int]:
        """What stands before a JSON object on its line: its fields fill those of the record.

        Returns the numbers of the lines whose head a format could read.
        """
        self._sort(sql)
        self._insert_sorted(self._heads)
        return {n for (n,) in self.table.rows("SELECT n FROM sorted WHERE f >= 0")}

    def _read_usual(self, sql: str) -> tuple[int, str]:
        """Read the lines that are in the usual format, without a look at all others.

        Returns how many they were, and the query of the lines that are left, if there are any.
        """
        usual = self._usual
        if usual is None:
            return 0, sql
        form = text_formats()[usual.which][1]
        lines = f"(SELECT n, {bare('line')} AS line FROM ({sql}))"  # noqa: S608 - our own words
        before = _patterns_before(usual.which)
        if before:  # what a format of a lower rank reads is not for this one
            lines = f"(FROM {lines} WHERE NOT regexp_full_match(line, {literal(any_of(before))}))"
        if usual.pieces:
            read = by_pieces(usual.pieces, lines)
        elif form.plain_pairs:
            read = by_plain_pairs(form.pattern, lines)
        else:
            read = by_pattern(form, lines, may_not_fit=True)
        done = self._insert(self._records, form, read)
        (many,) = self.table.one(f"SELECT count(*) FROM ({sql})")  # noqa: S608 - as above
        if done == many:
            return done, ""
        read_already = f"""(SELECT _n AS n FROM {self._records.name}
                            WHERE _n >= (SELECT min(n) FROM ({sql})))"""  # noqa: S608 - as above
        return done, f"SELECT n, line FROM ({sql}) ANTI JOIN {read_already} USING (n)"  # noqa: S608 - as above

    def _most_frequent(self) -> _Usual | None:
        """The format that most lines of `sorted` are in."""
        found = self.table.rows(
            "SELECT f, count(*) FROM sorted WHERE f >= 0 GROUP BY f ORDER BY 2 DESC, 1 LIMIT 1"
        )
        if not found:
            return None
        which, lines = found[0]
        shapes = {len(pieces): pieces for pieces in text_formats()[which][1].pieces}
        (pieces,) = self.table.one(
            f"""SELECT mode(len(string_split(line, '"')))
                FROM (SELECT line FROM sorted WHERE f = {which} LIMIT {_LOOKED_AT})"""  # noqa: S608 - numbers
        )
        return _Usual(which, shapes.get(pieces, ()), lines)

    def _sort(self, sql: str) -> None:
        """Make `sorted`: each line with the number of its format, -1 for a trace, else null."""
        self.table.db.execute(
            f"""CREATE OR REPLACE TEMP TABLE sorted AS
            SELECT n, line, {_which_format()} AS f
            FROM (SELECT n, {bare("line")} AS line FROM ({sql})) WHERE line <> ''"""  # noqa: S608 - our own words
        )

    def _insert_sorted(self, into: SideTable) -> None:
        """Read the lines of `sorted`, each by its format."""
        for (which,) in self.table.rows("SELECT DISTINCT f FROM sorted WHERE f >= 0"):
            form = text_formats()[which][1]
            lines = f"(SELECT n, line FROM sorted WHERE f = {which})"  # noqa: S608 - a number
            if form.plain_pairs:
                self._insert(into, form, by_plain_pairs(form.pattern, lines))
                continue
            if form.unbounded:
                self._insert(into, form, by_pattern(form, lines, may_not_fit=True))
                done = f"SELECT _n AS n FROM {into.name} WHERE _n >= (SELECT min(n) FROM sorted)"  # noqa: S608 - our names
                lines = f"(FROM {lines} ANTI JOIN ({done}) USING (n))"
            self._insert(into, form, by_pattern(form, lines))

    def _insert(self, into: SideTable, form: TextFormat, read: Read) -> int:
        """Bring what was read from lines of a format into a table; returns how many they were."""
        values: dict[str, str] = {}
        for group, text in read.groups.items():
            name = form.names.get(group, group)
            value = f"nullif(nullif({text}, ''), '-')"
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
        source = read.source
        if read.pairs:
            source = "paired"
            self.table.db.execute(f"CREATE OR REPLACE TEMP TABLE paired AS {read.pairs}")
            for key, value in self._pairs(plain=form.plain_pairs).items():
                values[key] = f"coalesce({values[key]}, {value})" if key in values else value
        return into.insert(values, "n", source)

    def _pairs(self, *, plain: bool) -> dict[str, str]:
        """The keys in `paired`, and for each of them SQL of its value."""
        found = self.table.rows(
            "SELECT k FROM (SELECT unnest(keys) AS k FROM paired) GROUP BY k ORDER BY count(*) DESC, k"
        )
        # Keys come from the log: however many there are, the question stays short.
        self._records.left_out.update(key for (key,) in found[MOST_FIELDS:])
        out = {}
        for (key,) in found[:MOST_FIELDS]:
            text = f"texts[list_position(keys, {literal(key)})]"
            quoted = f"trim({text}, '\"')"
            if not plain:
                quoted = f"CASE WHEN json_valid({text}) THEN json_extract_string({text}, '$') ELSE {quoted} END"
            out[key] = f"nullif(CASE WHEN {text}[1] = '\"' THEN {quoted} ELSE {text} END, '')"
        return out

    def _time(self, value: str, form: str) -> str:
        """ISO text, with a Z where the zone was known."""
        if form == "iso":
            return f"replace({value}, ',', '.')"
        day = dt.datetime.fromtimestamp(self.now, dt.UTC)
        text, full = f"replace({value}, ',', '.')", form
        if " %d" in form:  # days of one figure have two blanks before them
            text = f"replace({text}, '  ', ' ')"
        step = ""
        if "%Y" not in form and "%y" not in form:
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

    def _keep_unread(self) -> None:
        (lines,) = self.table.one("SELECT count(*) FROM sorted WHERE f IS NULL OR f < 0")
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


@functools.cache
def _patterns_before(which: int) -> tuple[str, ...]:
    """The patterns that are tried before a format."""
    formats = text_formats()
    traces = (_TRACE, _BEGINS) if formats[which][1].rank >= _TRACE_FIRST else ()
    return (*(form.pattern for _, form in formats[:which]), *traces)


@functools.cache
def _which_format() -> str:
    """SQL of the number of the first format that fits `line`, -1 for a trace.

    RE2 finds out whether one of some patterns fits about as quickly as whether one does.
    """
    tries = [(form.pattern, i, form.rank) for i, (_, form) in enumerate(text_formats())]
    at = sum(rank < _TRACE_FIRST for *_, rank in tries)
    tries.insert(at, (f"{_TRACE}|{_BEGINS}", -1, _TRACE_FIRST))
    cases = []
    for some in (tries[i : i + _TRIED_TOGETHER] for i in range(0, len(tries), _TRIED_TOGETHER)):
        each = " ".join(f"WHEN regexp_full_match(line, {literal(p)}) THEN {i}" for p, i, _ in some)
        together = literal(any_of(p for p, *_ in some))
        cases.append(f"WHEN regexp_full_match(line, {together}) THEN CASE {each} END")
    return f"CASE {' '.join(cases)} END"
