"""From the parts of an expression to SQL with bound parameters.

What a user wrote reaches DuckDB as parameters only; the SQL text holds columns that locard named.
A test is NULL where the record lacks the field, and counts as false: DuckDB's own `WHERE` and
`FILTER` do that, and `not` makes it false before it turns it round.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locard.logs.fields.levels import RANKS, rank_sql, spellings
from locard.logs.table.sql_text import literal
from locard.model.errors import UsageError
from locard.where import times
from locard.where.parse import mistake
from locard.where.syntax import Compare, Contains, Every, Exists, Match, Not, OneOf, Some

if TYPE_CHECKING:
    from locard.logs.fields.meaning import Meaning
    from locard.where.syntax import Node, Value
    from locard.where.times import Clock

_EXACT_DIGITS = 15  # more do not fit a double: such numbers are ids
_WHOLE = r"[+-]?\d{1,38}"
_LARGE = re.compile(r"[+-]?\d{16,38}")
_MOST = repr(sys.float_info.max)
_WRITTEN = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h)")
_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 36e5}


@dataclass(frozen=True, slots=True)
class Condition:
    """SQL for `WHERE`, and its parameters by name."""

    sql: str = "true"
    parameters: dict[str, Any] = field(default_factory=dict)


def condition(
    node: Node, meaning: Meaning, clock: Clock, text: str = "", *, prefix: str = "w"
) -> Condition:
    """SQL that is true for the records that the expression is true of.

    Raises UsageError on unknown fields and values that do not fit. `prefix` keeps the parameters of
    several conditions in one statement apart.
    """
    writer = _Writer(meaning, clock, text, prefix)
    sql = writer.sql(node)
    return Condition(sql, writer.parameters)


@dataclass(slots=True)
class _Writer:
    meaning: Meaning
    clock: Clock
    text: str
    prefix: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def bind(self, value: Any) -> str:
        name = f"{self.prefix}{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"

    def sql(self, node: Node) -> str:  # noqa: PLR0911 - a kind of node a line
        if isinstance(node, Not):
            return f"(NOT coalesce({self.sql(node.item)}, false))"
        if isinstance(node, Every | Some):
            joint = " AND " if isinstance(node, Every) else " OR "
            return f"({joint.join(self.sql(item) for item in node.items)})"
        name = self.meaning.resolve(node.field, self.text)
        column = self.meaning.column(name)
        if isinstance(node, Exists):
            return f"({column} IS NOT NULL)"
        if isinstance(node, Contains):
            return self.contains(name, node.value)
        if isinstance(node, Match):
            return self.match(column, node.pattern)
        if isinstance(node, OneOf):
            return f"({' OR '.join(self.compare(name, '=', v) for v in node.values)})"
        return self.compared(name, node)

    def compared(self, name: str, node: Compare) -> str:
        if node.op == "!=":
            return f"(NOT coalesce({self.compare(name, '=', node.value)}, false))"
        return self.compare(name, node.op, node.value)

    def contains(self, name: str, value: Value) -> str:
        wanted, array = self.bind(value.text), self.meaning.arrays(name)
        tests = (
            [f"contains({self.meaning.columns[name]}, {wanted})"]
            if name in self.meaning.columns
            else []
        )
        if array:
            tests.append(f"list_contains(json_extract_string({array}, '$[*]'), {wanted})")
            tests.append(f"list_contains(json_keys({array}), {wanted})")
            if name not in self.meaning.raws:
                tests.append(
                    f"(json_type({array}) = 'VARCHAR' AND contains({array} ->> '$', {wanted}))"
                )
        return "(" + (" OR ".join(f"coalesce({test}, false)" for test in tests) or "false") + ")"

    def match(self, column: str, pattern: Value) -> str:
        import duckdb  # noqa: PLC0415 - a tenth of a second that --help must not pay

        try:
            duckdb.execute("SELECT regexp_matches('', ?)", [pattern.text]).fetchall()
        except duckdb.Error as error:
            why = str(error).partition("\n")[0].rpartition(": ")[2]
            raise mistake(
                self.text, pattern.at, f"no regular expression: {why}", "RE2's syntax is meant."
            ) from error
        return f"regexp_matches({column}, {self.bind(pattern.text)})"

    def compare(self, name: str, op: str, value: Value) -> str:
        """A comparison, by what the field is and what the value looks like."""
        column = self.meaning.column(name)
        if self.meaning.is_role(name, "time"):
            return f"({self.meaning.time_sql()} {op} {self.bind(self.moment(value))})"
        if self.meaning.is_role(name, "duration"):
            found = self.duration(name, op, value)
            if found:
                return found
        if self.meaning.is_role(name, "level") and value.number is None:
            return self.level(op, value) if op != "=" else self.same_level(value)
        return self.plain(column, op, value)

    def plain(self, column: str, op: str, value: Value) -> str:
        """A comparison of numbers, if the value is one, else of texts."""
        number = value.number
        if number is not None and op != "=" and _LARGE.fullmatch(value.text):
            return self.large(column, op, value)
        digits = sum(c.isdigit() for c in value.text)
        if number is not None and (op != "=" or digits <= _EXACT_DIGITS):
            return self.number(f"TRY_CAST({column} AS DOUBLE)", op, number)
        return f"({column} {op} {self.bind(value.text)})"

    def number(self, sql: str, op: str, number: float) -> str:
        """A comparison that what is no finite number fails (DuckDB puts NaN above all)."""
        test = f"{sql} {op} {self.bind(number)}"
        if op in {">", ">="}:
            return f"({test} AND {sql} <= {_MOST})"
        return f"({test} AND {sql} >= -{_MOST})" if op != "=" else f"({test})"

    def large(self, column: str, op: str, value: Value) -> str:
        """A comparison with a whole number that a double may not hold: exact where the log has one, too."""
        exact = f"CASE WHEN regexp_full_match({column}, {literal(_WHOLE)}) THEN TRY_CAST({column} AS HUGEINT) END"
        rounded = self.number(f"TRY_CAST({column} AS DOUBLE)", op, float(value.text))
        return f"coalesce({exact} {op} {self.bind(int(value.text))}, {rounded})"

    def duration(self, name: str, op: str, value: Value) -> str:
        """With a unit it is compared in ms; a bare number is in the log's own unit."""
        wanted_ms = written_ms(value)
        if wanted_ms is None and self.meaning.own_unit_ms(name) == 1:
            wanted_ms = value.number
        if wanted_ms is None:
            return ""
        return self.number(f"({self.meaning.expressions['duration']})", op, wanted_ms)

    def same_level(self, value: Value) -> str:
        """The level in any spelling: a number of the log's numbering was read as its word."""
        same = spellings(value.text) or (value.text.lower(),)
        words = ", ".join(self.bind(word) for word in same)
        return f"(lower({self.meaning.expressions['level']}) IN ({words}))"

    def level(self, op: str, value: Value) -> str:
        rank = RANKS.get(value.text.lower())
        if rank is None:
            raise mistake(
                self.text, value.at, f"{value.text!r} is no level", "Levels: debug, info, warn, …"
            )
        return f"({rank_sql(self.meaning.expressions['level'])} {op} {self.bind(rank)})"

    def moment(self, value: Value) -> float:
        try:
            return times.moment(value.text, self.clock)
        except UsageError as error:
            if self.text:
                raise mistake(self.text, value.at, error.why, error.next_step) from error
            raise


def written_ms(value: Value) -> float | None:
    """The milliseconds of a value that names its unit, such as 1.5s; None for all others."""
    written = None if value.quoted else _WRITTEN.fullmatch(value.text)
    return float(written[1]) * _MS[written[2]] if written else None
