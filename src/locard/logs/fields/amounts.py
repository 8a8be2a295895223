"""Durations as logs write them: how to tell their unit, and the SQL that reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.logs.fields.times import NUMBER, mostly

if TYPE_CHECKING:
    from locard.logs.fields.profile import FieldProfile

UNIT_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4}

_JAVASCRIPT = frozenset({"responseTime", "requestTime", "elapsedTime", "durationTime"})
_TIMED = re.compile(r"(?=\d)(\d+h)?(\d+m(?!s))?(\d+(?:\.\d+)?\s*(ns|us|µs|μs|ms|s|sec))?")


def is_duration(item: FieldProfile) -> bool:
    """Whether a field's values are amounts of time, with or without a unit."""
    fits = mostly(item, lambda v: NUMBER.fullmatch(v) or _TIMED.fullmatch(v))
    return fits and not any(v.startswith("-") for v in item.values)


def duration_unit(item: FieldProfile) -> tuple[str, str]:
    """The unit of a duration field (a key of UNIT_MS, or "written") and the reason."""
    if mostly(item, lambda v: _TIMED.fullmatch(v) and not v[-1].isdigit()):
        return "written", "each value names its unit"
    last = (
        re.sub(r"(?<=[a-z])(?=[A-Z])", "_", item.name).lower().replace(".", "_").rpartition("_")[2]
    )
    word = re.fullmatch(
        r"ns|nanos(?:econds)?|us|micros(?:econds)?|ms|millis(?:econds)?|s|sec|secs|seconds", last
    )
    if word:
        unit = (
            "us" if last.startswith("mic") else {"n": "ns", "u": "us", "m": "ms", "s": "s"}[last[0]]
        )
        return unit, f"its ending says {unit}"
    if last.endswith("ms"):
        return "ms", "its ending says ms"
    return _unit_by_values(item)


def _unit_by_values(item: FieldProfile) -> tuple[str, str]:
    """The unit of a duration whose name says none."""
    numbers = sorted(float(v) for v in item.values if NUMBER.fullmatch(v))
    middle = numbers[len(numbers) // 2] if numbers else 0.0
    if item.name.lower().endswith("event.duration") or middle > 1e6:  # noqa: PLR2004 - 1 s in µs
        return "ns", f"no unit in the name; a median of {middle:g} suggests ns"
    if item.name.rpartition(".")[2] in _JAVASCRIPT:
        return "ms", "loggers of JavaScript write it in ms"
    # Seconds are written with their fractions: whole numbers, small ones too, are milliseconds.
    if middle < 10 and any("." in v for v in item.values):  # noqa: PLR2004
        return "s", f"no unit in the name; fractions with a median of {middle:g} suggest s"
    return "ms", f"no unit in the name; a median of {middle:g} suggests ms"


def duration_sql(column: str, unit: str, *, some_written: bool = False) -> str:
    """SQL of the duration in ms (DOUBLE) of a text column with a unit as `duration_unit` gives it.

    `some_written` says that values which name their own unit stand among the plain numbers.
    """
    if unit != "written":
        plain = f"TRY_CAST({column} AS DOUBLE) * {UNIT_MS[unit]!r}"
        return f"coalesce({plain}, {duration_sql(column, 'written')})" if some_written else plain

    def part(pattern: str) -> str:
        return f"TRY_CAST(nullif(regexp_extract({column}, '{pattern}', 1), '') AS DOUBLE)"

    name = f"regexp_extract({column}, '(ns|us|µs|μs|ms|s|sec)$')"
    scale = (
        f"CASE {name} WHEN 'ns' THEN 1e-6 WHEN 'us' THEN 1e-3 WHEN 'µs' THEN 1e-3 "
        "WHEN 'μs' THEN 1e-3 WHEN 'ms' THEN 1 WHEN '' THEN NULL ELSE 1e3 END"
    )
    small = part(r"([0-9.]+) *(?:ns|us|µs|μs|ms|s|sec)$")
    hours, minutes = part("^([0-9]+)h"), part("^(?:[0-9]+h)?([0-9]+)m(?:[^s]|$)")
    return (
        f"CASE WHEN regexp_matches({column}, '^[0-9].*[a-zµμ]$') THEN coalesce({hours}, 0) * 3.6e6 "
        f"+ coalesce({minutes}, 0) * 6e4 + coalesce({small} * {scale}, 0) END"
    )
