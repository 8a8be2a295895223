"""Times as logs write them, as Unix time: the SQL of each way of writing, and how to tell them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.logs.fields.profile import FieldProfile

MOST = 0.9  # of the values must look like what the name says
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s*(Z|UTC|[+-]\d\d(:?\d\d)?)?)?")
_ZONED = re.compile(r"(Z|UTC|:\d\d([.,]\d+)?\s*[+-]\d\d(:?\d\d)?)$")
_OFFSET = re.compile(r":\d\d(?:[.,]\d+)? ?(?!\+00(?::?00)?$)[+-]\d\d(?::?\d\d)?$")
_CLF = re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}")
_EARLIEST, _LATEST = 946_684_800.0, 4_102_444_800.0  # the years 2000 to 2100
_SCALES = (1.0, 1e-3, 1e-6, 1e-9)

SCALE_WORDS = {1.0: "s", 1e-3: "ms", 1e-6: "µs", 1e-9: "ns"}
SCALES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How the time is written. `scale` is seconds per unit where it is a number.

    `offset` says that some values have a zone that is not UTC; `mixed` is several kinds in one field.
    """

    kind: str  # iso, clf, epoch, mixed
    scale: float = 1.0
    zoned: bool = True
    marks_start: bool = False  # of the request, else its end
    offset: bool = False

    def words(self) -> str:
        """The format for people."""
        zone = "" if self.zoned else "; no zone in it, read as UTC"
        return {
            "iso": f"ISO 8601 date and time{zone}",
            "clf": "common log format date",
            "epoch": f"Unix time in {SCALE_WORDS[self.scale]}",
            "mixed": f"times in several forms{zone}",
        }[self.kind]


def mostly(item: FieldProfile, fits: Callable[[str], object]) -> bool:
    """Whether nearly all values that are not empty fit."""
    values = [v for v in item.values if v != ""]
    return bool(values) and sum(bool(fits(v)) for v in values) >= MOST * len(values)


def time_format(item: FieldProfile) -> TimeFormat | None:
    """How a field writes time, or None if it does not."""
    starts = "start" in item.name.lower()
    if mostly(item, _ISO.fullmatch):
        zoned = mostly(item, _is_zoned)
        offset = any(map(_OFFSET.search, item.values))
        return TimeFormat("iso", zoned=zoned, marks_start=starts, offset=offset)
    if mostly(item, _CLF.fullmatch):
        return TimeFormat("clf", marks_start=starts)
    if mostly(item, NUMBER.fullmatch):
        for scale in _SCALES:
            if mostly(item, functools.partial(_in_range, scale)):
                return TimeFormat("epoch", scale=scale, marks_start=starts)
    if mostly(item, _is_some_time):
        zoned = all(_is_zoned(v) for v in item.values if _ISO.fullmatch(v))
        return TimeFormat("mixed", zoned=zoned, marks_start=starts)
    return None


def _is_zoned(value: str) -> bool:
    return bool(_ZONED.search(value))


def _in_range(scale: float, value: str) -> bool:
    return bool(NUMBER.fullmatch(value)) and _EARLIEST <= float(value) * scale <= _LATEST


def _is_some_time(value: str) -> bool:
    return bool(_ISO.fullmatch(value) or _CLF.fullmatch(value)) or any(
        _in_range(scale, value) for scale in _SCALES
    )


def epoch_sql(column: str, written: TimeFormat) -> str:
    """SQL of the Unix time in seconds (DOUBLE, null where it cannot be read) of a text column."""
    if written.kind == "epoch":
        return f"TRY_CAST({column} AS DOUBLE) * {written.scale!r}"
    if written.kind == "clf":
        return f"epoch(try_strptime({column}, '%d/%b/%Y:%H:%M:%S %z'))"
    if written.kind == "iso":
        return _iso_with_offset(column) if written.offset else _iso(column)
    number = f"TRY_CAST({column} AS DOUBLE)"
    scale = "CASE " + " ".join(
        f"WHEN {number} <= {_LATEST / scale!r} THEN {scale!r}" for scale in _SCALES
    )
    return (
        f"coalesce({number} * {scale} END, {_iso_with_offset(column)}, "
        f"epoch(try_strptime({column}, '%d/%b/%Y:%H:%M:%S %z')))"
    )


def _iso(column: str) -> str:
    return f"epoch(TRY_CAST(replace({column}, ',', '.') AS TIMESTAMP))"


def _iso_with_offset(column: str) -> str:
    """DuckDB reads the offset of a TIMESTAMP and then ignores it, so it is taken off here."""
    local = f"regexp_extract({column}, '^\\d{{4}}-\\d\\d-\\d\\d(?:[T ]\\d\\d:\\d\\d(?::\\d\\d(?:[.,]\\d+)?)?)?')"
    zone = f"regexp_extract({column}, ':\\d\\d(?:[.,]\\d+)? ?([+-]\\d\\d:?\\d*)$', 1)"
    hours = f"TRY_CAST({zone}[1:3] AS INTEGER)"
    minutes = f"coalesce(TRY_CAST(right({zone}, 2) AS INTEGER), 0) * (length({zone}) > 3)::INTEGER"
    shift = (
        f"CASE WHEN {zone} = '' THEN 0 "
        f"ELSE {hours} * 3600 + CASE WHEN {zone}[1] = '-' THEN -60 ELSE 60 END * {minutes} END"
    )
    return f"(epoch(TRY_CAST(replace({local}, ',', '.') AS TIMESTAMP)) - {shift})"
