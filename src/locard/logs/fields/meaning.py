"""What the fields of one log mean to a question: their columns and their roles."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.logs.fields.amounts import UNIT_MS
from locard.logs.table.sql_text import literal
from locard.model.errors import UsageError
from locard.where.parse import mistake

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locard.where.syntax import Field

_STEP = re.compile(r"\[(?P<index>\d+)\]|(?:^|\.)(?P<key>[^.\[]*)")
_SURROGATE = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_REPLACED = r"\\ufffd"
_PLAIN_JSON = r"true|false|-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"
NUMBER_COLUMNS = {"time": "_t", "duration": "_d"}  # where a kept scan has them as numbers


def _sound(column: str) -> str:
    """SQL of JSON that DuckDB reads: it refuses half a surrogate pair, and NULL is what else it refuses."""
    mended = f"regexp_replace({column}, {literal(_SURROGATE)}, {literal(_REPLACED)}, 'g')"
    return (
        f"CASE WHEN json_valid({column}) THEN {column} WHEN json_valid({mended}) THEN {mended} END"
    )


@dataclass(frozen=True, slots=True)
class Meaning:
    """The fields of a log. `columns` maps a field to its column, `roles` a role to its field.

    `raws` maps a field to the column of its arrays and deep objects as they are written; it may have both.
    `role_of` has every field with a role (in a mixed log several have the same), `expressions` the SQL
    that gives a role whichever field it stands in: `time` as Unix time in seconds, `duration` in ms,
    the rest as text. `numbers` are the fields whose values are numbers, with the SQL type that holds them
    (BIGINT, HUGEINT, DOUBLE), `truths` those whose values are true and false; `last` is the Unix time of the last record, None where the log has no time.
    """

    columns: Mapping[str, str]
    roles: Mapping[str, str] = field(default_factory=dict)
    role_of: Mapping[str, str] = field(default_factory=dict)
    expressions: Mapping[str, str] = field(default_factory=dict)
    duration_unit: str = "ms"
    numbers: Mapping[str, str] = field(default_factory=dict)
    truths: frozenset[str] = frozenset()
    last: float | None = None
    raws: Mapping[str, str] = field(default_factory=dict)
    any_name: bool = False  # no log was looked at: every name is taken as it is

    def find(self, name: str) -> str | None:
        """The field of that name, else the role of that name; `.name` is taken as in jq.

        A role that stands in one field gives the field, else the role itself.
        """
        plain = name.removeprefix(".")
        for form in (name, plain):
            if form in self.columns or form in self.raws:
                return form
        if plain in self.roles:
            fields = [f for f, role in self.role_of.items() if role == plain]
            return plain if len(fields) > 1 and plain in self.expressions else self.roles[plain]
        inside = next((form for form in (name, plain) if self.inside(form)), None)
        return plain if inside is None and self.any_name else inside

    def inside(self, name: str) -> tuple[str, str] | None:
        """For a name such as `items[0].id` the column of the array or object, and the JSON pointer in it."""
        steps = list(_STEP.finditer(name))
        for at in [step.start() for step in steps][::-1]:
            if at and name[:at] in self.raws:
                found = [step for step in steps if step.start() >= at]
                if "".join(step[0] for step in found) != name[at:]:
                    return None
                keys = (step["index"] or step["key"] for step in found)
                pointer = "".join("/" + k.replace("~", "~0").replace("/", "~1") for k in keys)
                return self.raws[name[:at]], pointer
        return None

    def resolve(self, about: Field, text: str = "") -> str:
        """As `find`; raises UsageError with similar names. `text` is the whole expression."""
        found = self.find(about.name)
        if found is not None:
            return found
        names = [*self.columns, *self.raws, *self.roles]
        similar = difflib.get_close_matches(about.name.lower(), [n.lower() for n in names], 4, 0.5)
        near = [n for n in names if n.lower() in similar] or list(self.columns)[:8]
        listed = ", ".join(dict.fromkeys(near)) or "none"
        what = f"no field {about.name!r}"
        step = f"The log has: {listed}" if not similar else f"Similar ones: {listed}"
        if text:
            raise mistake(text, about.at, what, step)
        raise UsageError(what, "no record of the log has it", step)

    def column(self, name: str) -> str:
        """The SQL of the text of a field, or of a role, that `find` gave."""
        if name in self.columns:
            raw = self.raws.get(name)
            return f"coalesce({self.columns[name]}, {raw})" if raw else self.columns[name]
        if name in self.raws:
            return self.raws[name]
        found = self.inside(name)
        if found is not None:
            return f"json_extract_string({_sound(found[0])}, {literal(found[1])})"
        if name == "time":
            moment = f"make_timestamp(CAST({self.expressions[name]} * 1e6 AS BIGINT))"
            return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ')"
        if name == "duration":
            return f"regexp_replace(CAST({self.expressions[name]} AS VARCHAR), '[.]0$', '')"
        return self.expressions[name]

    def json(self, name: str) -> str | None:
        """The SQL of the JSON of a field that may be an array or an object; None of all others."""
        found = self.inside(name)
        if found is not None and name not in self.columns and name not in self.raws:
            return f"CAST(json_extract({_sound(found[0])}, {literal(found[1])}) AS VARCHAR)"
        raw = self.raws.get(name)
        if raw is None or name not in self.columns:
            return raw
        column = self.columns[name]
        plain = f"CAST(to_json({column}) AS VARCHAR)"
        if name in self.numbers or name in self.truths:
            is_plain = f"regexp_full_match({column}, {literal(_PLAIN_JSON)})"
            plain = f"CASE WHEN {is_plain} THEN {column} ELSE {plain} END"
        return f"coalesce({raw}, {plain})"

    def arrays(self, name: str) -> str | None:
        """The SQL of what may be an array; None where a field has none."""
        found = self.inside(name)
        if name in self.raws:
            return _sound(self.raws[name])
        return f"json_extract({_sound(found[0])}, {literal(found[1])})" if found else None

    def number_type(self, name: str) -> str | None:
        """The SQL type of a field, or of a role, that `find` gave; None where its values are no numbers."""
        if name in self.raws:
            return None
        if name in self.columns:
            return self.numbers.get(name)
        if name == "duration":
            return "DOUBLE"
        kinds = {self.numbers.get(f) for f, role in self.role_of.items() if role == name}
        return None if None in kinds else kinds.pop() if len(kinds) == 1 else "DOUBLE"

    def is_role(self, name: str, role: str) -> bool:
        """Whether a field has that role."""
        if name == role and name not in self.columns:
            return True
        return self.role_of.get(name) == role

    def time_sql(self) -> str | None:
        """SQL for a record's Unix time in seconds; None where the log has no time."""
        return self.expressions.get("time")

    def own_unit_ms(self, name: str) -> float | None:
        """Milliseconds in what a bare number means for a duration; None for "as the field has it"."""
        if name not in self.columns:
            return 1.0
        if list(self.role_of.values()).count("duration") > 1:  # each with a unit of its own
            return None
        return UNIT_MS.get(self.duration_unit, 1.0)
