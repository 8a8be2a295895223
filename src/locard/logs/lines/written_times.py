"""Times of text formats as ISO text: the SQL of each form, and what a log leaves out of its times.

A year or a date that is not there is taken from the day of reading; which of two numbers is the day
is told from all of them. What cannot be known is said.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from locard.logs.lines import zones
from locard.logs.table.sql_text import literal

if TYPE_CHECKING:
    from locard.logs.table.table import Table

_DAY_S = 86_400.0
_MOST_MONTHS = 12
_LOOKED_AT = 1024  # lines, for the names of zones


class WrittenTimes:
    """Makes ISO text of times; `now` (Unix time) gives those without a year or a date theirs."""

    def __init__(self, table: Table, now: float) -> None:
        """What is not known is said in the notes of the table."""
        self.table = table
        self.now = now
        self._highest = (0, 0)  # of the first and the second number, where either may be the day

    def iso(self, value: str, forms: tuple[str, ...]) -> str:
        """SQL of the ISO text of a time in one of the forms (see `TextFormat`), with a Z where it has a zone."""
        if forms == ("iso",):
            return zones.with_offset_sql(f"replace({value}, ',', '.')")
        if "%Z" in forms[0]:  # a zone in letters before the year
            zone = f"regexp_extract({value}, '([A-Z]{{3,5}}) [0-9]{{4}}$', 1)"
            bare = f"regexp_replace({value}, ' [A-Z]{{3,5}}( [0-9]{{4}})$', '\\1')"
            moment = self.iso(bare, tuple(form.replace(" %Z", "") for form in forms))
            return f"{moment} || coalesce({zones.offset_sql(zone)}, '')"
        text, full, step = self._completed(value, forms)
        moment = _moment(text, full)
        if step:  # what would lie ahead was written a year, or a day, ago
            moment = (
                f"CASE WHEN epoch({moment}) > {self.now + _DAY_S / 24} "
                f"THEN {moment} - {step} ELSE {moment} END"
            )
        zone = "Z" if "%z" in forms[0] else ""
        return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%f{zone}')"

    def say(self, forms: tuple[str, ...]) -> None:
        """Say what times in such forms leave out; call it when some were read."""
        day = f"{self._day:%Y-%m-%d}"
        if not _has(forms, "%Y", "%y", "iso"):
            lacks = "year" if _has(forms, "%d") else "date"
            self.table.note(f"times name no {lacks}: it is that of the log's last write, {day}")

    def say_zones(self, zone: str, source: str) -> None:
        """Say how zones are read that times name by letters, where those mean several or none."""
        some = f"SELECT {zone} AS zone FROM {source} LIMIT {_LOOKED_AT}"  # noqa: S608 - ours
        found = self.table.rows(f"SELECT DISTINCT zone FROM ({some}) LIMIT 9")  # noqa: S608 - ours
        for (name,) in found:
            if name and (said := zones.reading_of(name)):
                self.table.note(said)

    def day_first(self, value: str, source: str, forms: tuple[str, ...]) -> tuple[str, ...]:
        """The forms (which have the day first), or those with the month first: as the log's own times tell.

        A number above 12 is a day. Without one, the reading counts that is nearest to the time of
        the last write, and that is said.
        """
        one, two = (f"max(TRY_CAST(regexp_extract({value}, '{p}', 1) AS INTEGER))" for p in
                    (r"^(\d+)", r"^\d+[/.-](\d+)"))  # fmt: skip
        swapped = tuple(
            form.replace("%d", "%D").replace("%m", "%d").replace("%D", "%m") for form in forms
        )
        picks = [one, two, *(self._last(value, f) for f in (forms, swapped))]
        first, second, a, b = self.table.one(f"SELECT {', '.join(picks)} FROM {source}")  # noqa: S608 - ours
        known = self._highest
        self._highest = known = (max(known[0], first or 0), max(known[1], second or 0))
        if max(known) > _MOST_MONTHS or a is None or b is None:
            return forms if known[0] > _MOST_MONTHS or b is None else swapped
        chosen = forms if abs(self.now - a) <= abs(self.now - b) else swapped
        order = "day" if chosen is forms else "month"
        if a != b:
            self.table.note(
                f"whether days or months stand first in its times cannot be told: read as {order} first, "
                "which is nearer to the log's last write"
            )
        return chosen

    def since_start(self, seconds: str, last: float) -> str:
        """SQL of the ISO text of a time in seconds since a start; `last` is the highest of them."""
        day = dt.datetime.fromtimestamp(self.now, dt.UTC)
        self.table.note(
            "times are seconds since a start that the log does not name: the last line is taken to be of "
            f"{day:%Y-%m-%dT%H:%M:%SZ}, when the log was last written (a pipe: when it was read)"
        )
        moment = f"make_timestamp(CAST(({self.now - last!r} + {seconds}) * 1e6 AS BIGINT))"
        return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ')"

    def _last(self, value: str, forms: tuple[str, ...]) -> str:
        text, full, _ = self._completed(value, forms)
        return f"max(epoch({_moment(text, full)}))"

    def _completed(self, text: str, forms: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
        """The text with the year or date that it lacks, the forms with it, and how far to step back."""
        text = f"replace(replace({text}, ', ', ' '), ',', '.')"
        if _has(forms, " %d"):  # days of one figure have two blanks before them
            text = f"replace({text}, '  ', ' ')"
        if _has(forms, "%Y", "%y"):
            return text, forms, ""
        if _has(forms, "%d"):
            year = f"{self._day:%Y} "
            return f"'{year}' || {text}", tuple("%Y " + form for form in forms), "INTERVAL 1 YEAR"
        date = f"{self._day:%Y-%m-%d} "
        return f"'{date}' || {text}", tuple("%Y-%m-%d " + f for f in forms), "INTERVAL 1 DAY"

    @property
    def _day(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.now, dt.UTC)


def dated(forms: tuple[str, ...]) -> bool:
    """Whether such times say their day and their year."""
    return _has(forms, "%Y", "%y", "iso")


def _has(forms: tuple[str, ...], *parts: str) -> bool:
    return any(part in forms[0] for part in parts)


def _moment(text: str, forms: tuple[str, ...]) -> str:
    tried = literal(forms[0]) if len(forms) == 1 else "[" + ", ".join(map(literal, forms)) + "]"
    return f"make_timestamp(epoch_us(try_strptime({text}, {tried})))"
