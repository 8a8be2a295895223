"""Durations as logs write them: how to tell their unit, and the SQL that reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.logs.fields.times import NUMBER, mostly

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.logs.fields.profile import FieldProfile

UNIT_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4}

_JAVASCRIPT = frozenset({"responseTime", "requestTime", "elapsedTime", "durationTime"})
# Units with their length in ms: "12ms", "1.5 s", "3 msecs"; hours and minutes may stand before (1h2m3s).
_WORDS = {
    "ns": 1e-6, "nanoseconds": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "usec": 1e-3, "usecs": 1e-3, "microseconds": 1e-3,
    "ms": 1.0, "msec": 1.0, "msecs": 1.0, "millis": 1.0, "milliseconds": 1.0,
    "s": 1e3, "sec": 1e3, "secs": 1e3, "second": 1e3, "seconds": 1e3,
}  # fmt: skip
_UNIT = "|".join(sorted(_WORDS, key=len, reverse=True))
_TIMED = re.compile(rf"(?=\d)(\d+h)?(\d+m(?!s))?(\d+(?:\.\d+)?\s*({_UNIT}))?")
# hh:mm:ss with a fraction or days before it, as .NET and Python write it; ISO 8601's periods.
_CLOCK = re.compile(r"(?:(\d+)(?:\.| days?, ))?(\d{1,3}):(\d\d):(\d\d(?:\.\d+)?)")
_PERIOD = re.compile(
    r"P(?=[\dT])(?:([\d.]+)D)?(?:T(?=\d)(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?"
)


def _names_unit(value: str) -> object:
    return (
        (_TIMED.fullmatch(value) and not value[-1].isdigit())
        or _CLOCK.fullmatch(value)
        or _PERIOD.fullmatch(value)
    )


def duration_ms(value: str) -> float | None:
    """The milliseconds of an amount that names its unit; None of all else."""
    parts = _CLOCK.fullmatch(value) or _PERIOD.fullmatch(value)
    if parts:
        day, hour, minute, second = (float(p) if p else 0.0 for p in parts.groups())
        return ((day * 24 + hour) * 60 + minute) * 6e4 + second * 1e3
    timed = _TIMED.fullmatch(value)
    if not timed or value[-1].isdigit():
        return None
    hours, minutes, amount, unit = timed.groups()
    ms = int(hours[:-1]) * 3.6e6 if hours else 0.0
    ms += int(minutes[:-1]) * 6e4 if minutes else 0.0
    return ms + (float(amount[: -len(unit)]) * _WORDS[unit] if amount else 0.0)


def is_duration(item: FieldProfile) -> bool:
    """Whether a field's values are amounts of time, with or without a unit."""
    fits = mostly(item, lambda v: NUMBER.fullmatch(v) or _TIMED.fullmatch(v) or _names_unit(v))
    return fits and not any(v.startswith("-") for v in item.values)


def is_written_duration(item: FieldProfile) -> bool:
    """Whether each of a field's values names its unit."""
    return mostly(item, _names_unit)


def duration_unit(item: FieldProfile) -> tuple[str, str]:
    """The unit of a duration field (a key of UNIT_MS, or "written") and the reason."""
    if is_written_duration(item):
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

    name = f"regexp_extract({column}, '[0-9] *({_UNIT})$', 1)"
    cases = " ".join(f"WHEN '{unit}' THEN {ms!r}" for unit, ms in _WORDS.items())
    small = part(f"([0-9.]+) *(?:{_UNIT})$")
    hours, minutes = part("^([0-9]+)h"), part("^(?:[0-9]+h)?([0-9]+)m(?:[^s]|$)")
    timed = (
        f"coalesce({hours}, 0) * 3.6e6 + coalesce({minutes}, 0) * 6e4 "
        f"+ coalesce({small} * CASE {name} {cases} END, 0)"
    )
    clock = _sum(part, "^([0-9]+)(?:[.]| days?, )", "([0-9]+):[0-9]+:", ":([0-9]+):", ":([0-9.]+)$")
    period = _sum(
        part,
        "^P([0-9.]+)D",
        "T([0-9.]+)H",
        "T(?:[0-9.]+H)?([0-9.]+)M",
        "([0-9.]+)S$",
    )
    return (
        f"CASE WHEN regexp_matches({column}, '^[0-9].*[a-zµμ]$') THEN {timed} "
        f"WHEN regexp_matches({column}, '^[0-9].*:[0-9][0-9]:[0-9.]+$') THEN {clock} "
        f"WHEN regexp_matches({column}, '^P[0-9T].*[DHMS]$') THEN {period} END"
    )


def _sum(part: Callable[[str], str], *patterns: str) -> str:
    """SQL of the milliseconds of days, hours, minutes and seconds, each of which may be missing."""
    scales = ("8.64e7", "3.6e6", "6e4", "1e3")
    parts = (f"coalesce({part(p)}, 0) * {s}" for p, s in zip(patterns, scales, strict=True))
    return " + ".join(parts)
