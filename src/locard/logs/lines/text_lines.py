"""Lines that are no JSON: read by the text formats, by DuckDB, a batch at a time.

Each line goes to the first format that fits it; for the others see `continued`.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.lines import zones
from locard.logs.lines.added_fields import SideTable
from locard.logs.lines.column_lines import ColumnLines
from locard.logs.lines.continued import BEGINS, TRACE, UNKNOWN, Continued
from locard.logs.lines.joined_parts import JoinedParts
from locard.logs.lines.line_format import SYSLOG_LEVELS, TextFormat, text_formats
from locard.logs.lines.message_pairs import add_pairs
from locard.logs.lines.text_sql import (
    Read,
    any_of,
    bare,
    by_pattern,
    by_pieces,
    by_plain_pairs,
    pair_value,
    plain,
)
from locard.logs.lines.written_times import WrittenTimes, dated
from locard.logs.table.sql_text import literal
from locard.logs.table.table import MOST_FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.table.table import Table

__all__ = ["UNKNOWN", "TextLines"]

_TRACE_FIRST = 40  # the rank before which stack traces are looked for
_TRIED_TOGETHER = 8  # patterns
_FEW = 64 * 1024  # lines: making all patterns ready costs more than trying them on so many
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
        self._times = WrittenTimes(table, time.time() if now is None else now)
        self._continued = Continued(table)
        self._usual: _Usual | None = None
        self._headed = False  # whether some records have their level and message in the next one
        self._records = SideTable(table, "spoken")
        self._heads = SideTable(table, "heads")
        self._parts = JoinedParts(self._records)
        self._columns = ColumnLines(table, self._records)
        self._stamped = False
        table.db.execute("CREATE TABLE stamped (n BIGINT)")

    def add_stamped(self, sql: str) -> None:
        """The numbers of lines to which their envelope gives a full time."""
        self.table.db.execute(f"INSERT INTO stamped {sql}")
        self._stamped = True

    def add_writers(self, sql: str) -> None:
        """The numbers of lines and a hash of who wrote each, as their envelopes say."""
        self._continued.add_writers(sql)

    def add_query(self, sql: str) -> None:
        """The rows (n, line) of a query; no two have the same n. Blank lines are left out."""
        sql = f"SELECT n, {plain('line')} AS line FROM ({sql})"  # noqa: S608 - our own words
        sql = self._columns.read(self._continued.keep_broken(sql))
        if self._usual is None and self.table.one(f"SELECT count(*) FROM ({sql})")[0] > _FEW:  # noqa: S608
            self._sort(f"FROM ({sql}) LIMIT {_LOOKED_AT}")
            self._usual = self._most_frequent()
        done, rest = self._read_usual(sql)
        if not rest:
            return
        self._sort(rest)
        self._insert_sorted(self._records)
        if self._stamped:
            self._insert_stamped()
        self._continued.keep()
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
        before = _fits_before(usual.which)
        if before:  # what a format of a lower rank reads is not for this one
            lines = f"(FROM {lines} WHERE {before})"
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
        """Make `sorted`: each line with the number of its format, -1 for a trace, else null.

        Making the patterns ready costs more than trying them on some lines: those of one format alone
        are made only where one of their group fits.
        """
        groups, each = _format_groups()
        self.table.db.execute(
            f"""CREATE OR REPLACE TEMP TABLE grouped AS
            SELECT n, line, {groups} AS g, indented
            FROM (SELECT n, {bare("line")} AS line, line[1] IN (' ', chr(9)) AS indented FROM ({sql}))
            WHERE line <> ''"""  # noqa: S608 - our own words
        )
        found = self.table.rows("SELECT DISTINCT g FROM grouped WHERE g IS NOT NULL ORDER BY g")
        cases = " ".join(f"WHEN {g} THEN {each[g]}" for (g,) in found)
        self.table.db.execute(
            f"""CREATE OR REPLACE TEMP TABLE sorted AS
            SELECT n, line, {f"CASE g {cases} END" if cases else "NULL::INTEGER"} AS f, indented FROM grouped"""  # noqa: S608
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

    def _insert_stamped(self) -> None:
        """Lines in no format become messages, where their envelope says when they were written."""
        loose = "sorted WHERE f IS NULL AND NOT indented AND n IN (FROM stamped)"
        self._records.insert({"message": "line"}, "n", loose)
        self.table.db.execute(f"DELETE FROM {loose}")  # noqa: S608 - our own words

    def _insert(self, into: SideTable, form: TextFormat, read: Read) -> int:
        """Bring what was read from lines of a format into a table; returns how many they were."""
        values: dict[str, str] = {}
        for group, text in read.groups.items():
            if group == "pairs":
                continue
            name, value = self._value(group, text, form, read.source)
            values[name] = f"coalesce({values[name]}, {value})" if name in values else value
        source = read.source
        if "zone" in read.groups and "time" in values:
            offset = zones.offset_sql(read.groups["zone"])
            values["time"] = f"{values['time']} || coalesce({offset}, '')"
        if read.pairs:
            source = "paired"
            self.table.db.execute(f"CREATE OR REPLACE TEMP TABLE paired AS {read.pairs}")
            for key, value in self._pairs(plain=form.plain_pairs).items():
                values[key] = f"coalesce({values[key]}, {value})" if key in values else value
        added = into.insert(values, "n", source)
        if added:
            self._remember(form)
            if form.joined:
                self._parts.add(source, begins=form.begins)
            if "zone" in read.groups:
                self._times.say_zones(read.groups["zone"], source)
            elif form.forms == ("iso",) and "time" in read.groups:
                self._times.say_zones(
                    f"regexp_extract({read.groups['time']}, '[0-9] ?([A-Z]{{3,5}})$', 1)", source
                )
        return added

    def _value(self, group: str, text: str, form: TextFormat, source: str) -> tuple[str, str]:
        """The field of a group, and the SQL of its value."""
        name, value = form.names.get(group, group), f"nullif(nullif({text}, ''), '-')"
        if group == "pri":
            return "level", _level_of_priority(value)
        if group == "level_end":
            return "level", _level(f"nullif(rtrim({text}, '] ):>|,;/' || chr(9)), '')", form)
        if name == "level":
            return name, _level(f"nullif({text}, '')", form)
        if group == "time":
            forms = form.forms
            if form.day_or_month:
                forms = self._times.day_first(value, source, forms)
            moment = self._times.iso(value, forms)
            if self._stamped and not dated(forms):  # the envelope knows the day
                moment = f"CASE WHEN n NOT IN (FROM stamped) THEN {moment} END"
            return name, moment
        return name, f"replace({value}, '\\\"', '\"')" if group == "quoted" else value

    def _remember(self, form: TextFormat) -> None:
        """What of the lines of a format has to be said, or done in the end."""
        if "time" in form.groups and not self._stamped:
            self._times.say(form.forms)
        if form.opens:
            self._continued.opened = True
            names_level = {"level", "level_end"}.intersection(form.groups)
            self._headed = self._headed or not (form.joined or names_level)

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
            out[key] = pair_value(text, plain=plain)
        return out

    @property
    def records(self) -> int:
        """How many records there are so far; `finish` copies them."""
        return self._records.rows

    def finish(self) -> None:
        """Bring the records into `raw`, and to them the lines that belong to them."""
        self._parts.join()
        if self._headed:
            self._join_heads()
        if "since_start_s" in self._records.columns:
            self._since_start()
        add_pairs(self._records, self.table)
        self._heads.fill_raw()
        self._records.append_to_raw()
        self._continued.finish()
        self.table.db.execute("DROP TABLE stamped")

    def _join_heads(self) -> None:
        """A record without level and message is the head of the next line's, if that has no time."""
        name, columns = self._records.name, self._records.columns
        missing = [f"h.{columns[x]} IS NULL" for x in ("level", "message") if x in columns]
        if len(missing) < 2 or "time" not in columns:  # noqa: PLR2004 - both
            return
        time_, level = columns["time"], columns["level"]
        heads = f"""FROM {name} h WHERE f._n = h._n + 1 AND {" AND ".join(missing)}
                    AND h.{time_} IS NOT NULL AND f.{time_} IS NULL AND f.{level} IS NOT NULL"""
        sets = ", ".join(f"{c} = coalesce(f.{c}, h.{c})" for c in columns.values())
        self.table.db.execute(f"""
            CREATE TEMP TABLE joined AS SELECT h._n AS n FROM {name} f, {heads.removeprefix("FROM ")};
            UPDATE {name} AS f SET {sets} {heads};
            DELETE FROM {name} WHERE _n IN (FROM joined)""")  # noqa: S608 - columns are ours
        self._records.rows -= self.table.one("SELECT count(*) FROM joined")[0]
        self.table.db.execute("DROP TABLE joined")

    def _since_start(self) -> None:
        """Seconds since a start become times, where a record has no other."""
        start = self._records.columns["since_start_s"]
        if "time" not in self._records.columns:
            self._records.add("time")
        time_, name = self._records.columns["time"], self._records.name
        (last,) = self.table.one(f"SELECT max(TRY_CAST({start} AS DOUBLE)) FROM {name}")  # noqa: S608 - ours
        if last is not None:
            moment = self._times.since_start(f"TRY_CAST({start} AS DOUBLE)", last)
            self.table.db.execute(
                f"UPDATE {name} SET {time_} = {moment} WHERE {time_} IS NULL AND {start} IS NOT NULL"  # noqa: S608
            )


def _level(value: str, form: TextFormat) -> str:
    if not form.levels:
        return f"lower({value})"
    cases = " ".join(f"WHEN {literal(k)} THEN {literal(word)}" for k, word in form.levels.items())
    return f"CASE lower({value}) {cases} ELSE lower({value}) END"


def _level_of_priority(value: str) -> str:
    words = "[" + ", ".join(map(literal, SYSLOG_LEVELS)) + "]"
    return f"{words}[(TRY_CAST({value} AS INTEGER) % 8) + 1]"


@functools.cache
def _fits_before(which: int) -> str:
    """SQL of whether none of the patterns fits that are tried before a format; empty where there are none.

    Finding a word costs a hundredth of trying a pattern.
    """
    forms = [form for _, form in text_formats()[:which]]
    worded = [form for form in forms if form.words]
    free = [form.looks or form.pattern for form in forms if not form.words]
    if text_formats()[which][1].rank >= _TRACE_FIRST:
        free += (TRACE, BEGINS)
    tests = [f"NOT regexp_full_match(line, {literal(any_of(free))})"] if free else []
    if worded:
        tests.append(f"NOT ({_one_fits(worded)})")
    return " AND ".join(tests)


def _one_fits(forms: Sequence[TextFormat]) -> str:
    """SQL of whether a line is in one of the formats, all of which have words."""
    words = dict.fromkeys(word for form in forms for word in form.words)
    some = " OR ".join(f"contains(line, {literal(word)})" for word in words)
    patterns = literal(any_of(form.looks or form.pattern for form in forms))
    return f"({some}) AND regexp_full_match(line, {patterns})"


@functools.cache
def _format_groups() -> tuple[str, tuple[str, ...]]:
    """SQL of the number of the first group of formats of which one fits `line`; and for each group SQL of
    the number of its first format that does, -1 for a trace.

    RE2 finds out whether one of some patterns fits about as quickly as whether one does.
    """  # noqa: D205 - one sentence
    tries = [
        (form.looks or form.pattern, i, form.rank) for i, (_, form) in enumerate(text_formats())
    ]
    at = sum(rank < _TRACE_FIRST for *_, rank in tries)
    tries.insert(at, (f"{TRACE}|{BEGINS}", -1, _TRACE_FIRST))
    groups: list[str] = []
    each: list[str] = []
    for some in (tries[i : i + _TRIED_TOGETHER] for i in range(0, len(tries), _TRIED_TOGETHER)):
        together = literal(any_of(p for p, *_ in some))
        groups.append(f"WHEN regexp_full_match(line, {together}) THEN {len(groups)}")
        tests = (f"WHEN regexp_full_match(line, {literal(p)}) THEN {i}" for p, i, _ in some)
        each.append(f"CASE {' '.join(tests)} END")
    return f"CASE {' '.join(groups)} END", tuple(each)
