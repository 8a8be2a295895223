"""Times as logs write them, as Unix time: the SQL of each way of writing, and how to tell them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.fields.date_forms import date_form
from locard.logs.lines import zones
from locard.logs.table.sql_text import literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.logs.fields.profile import FieldProfile

MOST = 0.9  # of the values must look like what the name says
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s*"
    rf"(Z|{zones.NAMES}|[+-]\d\d(:?\d\d)?)?)?"
)
_ZONED = re.compile(rf"(Z|{zones.NAMES}|:\d\d([.,]\d+)?\s*[+-]\d\d(:?\d\d)?)$")
_CLF = re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}")
_DATE_CALL = re.compile(r"/Date\((-?\d+)(?:[+-]\d{4})?\)/")  # of .NET: Unix time in ms
_EARLIEST, _LATEST = 946_684_800.0, 4_102_444_800.0  # the years 2000 to 2100
_SCALES = (1.0, 1e-3, 1e-6, 1e-9)

SCALE_WORDS = {1.0: "s", 1e-3: "ms", 1e-6: "µs", 1e-9: "ns"}
SCALES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


@dataclass(frozen=True, slots=True)
class Fold:
    """A stretch of local times that came twice, as clocks were put back: which records are of the first time.

    `begin` and `end` are local times as Unix time would count them, `back_s` is by how much the clock was
    put back. Records before line `until` are of the first time.
    """

    begin: float
    end: float
    back_s: float
    until: int


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """How the time is written. `scale` is seconds per unit where it is a number.

    `mixed` is several kinds in one field. `zone` is the zone (IANA's name) of times that name none, and
    `folds` are the hours in it that came twice (see `Fold`).
    """

    kind: str  # iso, clf, date_call, epoch, forms, mixed
    scale: float = 1.0
    zoned: bool = True
    marks_start: bool = False  # of the request, else its end
    zone: str = ""
    folds: tuple[Fold, ...] = ()
    forms: tuple[str, ...] = ()  # strptime's
    sure: bool = True  # which number is the month

    def words(self) -> str:
        """The format for people."""
        zone = "" if self.zoned else f"; no zone in it, read as {self.zone or 'UTC'}"
        return {
            "iso": f"ISO 8601 date and time{zone}",
            "clf": "common log format date",
            "date_call": "Unix time in ms, as .NET writes it",
            "epoch": f"Unix time in {SCALE_WORDS[self.scale]}",
            "forms": f"dates as {_shown(self.forms)}{zone}"
            + (
                "" if self.sure else "; no day above 12 tells it: the month is taken to stand first"
            ),
            "mixed": f"times in several forms{zone}",
        }[self.kind]


def _shown(forms: tuple[str, ...]) -> str:
    """A form as people write it: DD.MM.YYYY hh:mm:ss."""
    words = {"%d": "DD", "%m": "MM", "%Y": "YYYY", "%b": "Mon", "%a": "Day", "%p": "AM", "%z": "+0000",
             "%H": "hh", "%I": "hh", "%M": "mm", "%S": "ss"}  # fmt: skip
    return re.sub(r"%\w", lambda m: words.get(m[0], m[0]), forms[0] if forms else "")


def mostly(item: FieldProfile, fits: Callable[[str], object]) -> bool:
    """Whether nearly all values that are not empty fit."""
    values = [v for v in item.values if v != ""]
    return bool(values) and sum(bool(fits(v)) for v in values) >= MOST * len(values)


def time_format(item: FieldProfile) -> TimeFormat | None:
    """How a field writes time, or None if it does not."""
    starts = "start" in item.name.lower()
    if mostly(item, _ISO.fullmatch):
        zoned = mostly(item, _is_zoned)
        return TimeFormat("iso", zoned=zoned, marks_start=starts)
    for kind, pattern in (("date_call", _DATE_CALL), ("clf", _CLF)):
        if mostly(item, pattern.fullmatch):
            return TimeFormat(kind, marks_start=starts)
    written = date_form([v for v in item.values if v])
    if written is not None:
        form, sure = written
        return TimeFormat(
            "forms", zoned=form.zoned, marks_start=starts, forms=form.forms, sure=sure
        )
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
    if written.kind == "date_call":
        number = f"regexp_extract({column}, {literal(_DATE_CALL.pattern)}, 1)"
        return f"TRY_CAST(nullif({number}, '') AS DOUBLE) * 0.001"
    if written.kind == "clf":
        return f"epoch(try_strptime({column}, '%d/%b/%Y:%H:%M:%S %z'))"
    if written.kind == "forms":
        return _by_forms(column, written)
    if written.kind == "iso":
        return _iso(column, written)
    number = f"TRY_CAST({column} AS DOUBLE)"
    scale = "CASE " + " ".join(
        f"WHEN {number} <= {_LATEST / scale!r} THEN {scale!r}" for scale in _SCALES
    )
    return (
        f"coalesce({number} * {scale} END, {_iso(column, written)}, "
        f"epoch(try_strptime({column}, '%d/%b/%Y:%H:%M:%S %z')))"
    )


def _by_forms(column: str, written: TimeFormat) -> str:
    listed = "[" + ", ".join(map(literal, written.forms)) + "]"
    text = f"regexp_replace(replace({column}, ',', ''), '  +', ' ', 'g')"
    local = f"try_strptime({text}, {listed})"
    if written.zone and not written.zoned:
        return f"epoch({local}::TIMESTAMP AT TIME ZONE {literal(written.zone)})"
    return f"epoch({local})"


def _iso(column: str, written: TimeFormat) -> str:
    """Each value by its own offset; DuckDB knows none that stands behind a blank."""
    text = f"replace({column}, ',', '.')"
    text = zones.with_offset_sql(text)
    text = (
        f"CASE WHEN contains({text}, ' +') OR contains({text}, ' -') "
        f"THEN regexp_replace({text}, ' ([+-][0-9]{{2}})', '\\1') ELSE {text} END"
    )
    utc = f"epoch(TRY_CAST({text} AS TIMESTAMPTZ))"
    if not written.zone:
        return utc
    local = f"TRY_CAST({text} AS TIMESTAMP)"
    there = f"epoch({local} AT TIME ZONE {literal(written.zone)})"
    for fold in written.folds:
        first = f"_n < {fold.until} AND epoch({local}) >= {fold.begin!r} AND epoch({local}) < {fold.end!r}"
        there = f"({there} - CASE WHEN {first} THEN {fold.back_s!r} ELSE 0 END)"
    return (
        f"CASE WHEN regexp_matches({column}, {literal(_ZONED.pattern)}) THEN {utc} ELSE {there} END"
    )
