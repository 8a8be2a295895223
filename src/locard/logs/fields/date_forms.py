"""Dates as people and spreadsheets write them, in a field of its own: 27.05.2025 01:00:00, 5/27/2025 1:00:00 AM.

Which of two numbers is the day is told by the values: one above 12 is a day. Where none is, the month stands
first as in the United States, and that is said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTH = r"[A-Z][a-z]{2}"
_CLOCK = r"\d{1,2}:\d\d:\d\d"
_FRACTION = r"(?:[.]\d{1,6})?"
_NUMBERS = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-]\d{4}")


@dataclass(frozen=True, slots=True)
class DateForm:
    """A way of writing: a pattern, and strptime's forms of it; with a zone or without."""

    pattern: str
    forms: tuple[str, ...]
    zoned: bool = False
    either: bool = False  # the first number may be the day or the month; `forms` have the day first


def _forms(form: str) -> tuple[str, ...]:
    return form, f"{form}.%f"


_ALL = (
    DateForm(rf"\d{{1,2}}\.\d{{1,2}}\.\d{{4}},? {_CLOCK}{_FRACTION}", _forms("%d.%m.%Y %H:%M:%S")),
    DateForm(rf"\d{{4}}/\d\d/\d\d[ T]{_CLOCK}{_FRACTION}", (*_forms("%Y/%m/%d %H:%M:%S"), *_forms("%Y/%m/%dT%H:%M:%S"))),
    DateForm(rf"\d{{4}}\.\d\d\.\d\d {_CLOCK}{_FRACTION}", _forms("%Y.%m.%d %H:%M:%S")),
    DateForm(rf"\d{{1,2}}[/-]\d{{1,2}}[/-]\d{{4}},? {_CLOCK} [AP]M",
             ("%d/%m/%Y %I:%M:%S %p", "%d-%m-%Y %I:%M:%S %p"), either=True),
    DateForm(rf"\d{{1,2}}[/-]\d{{1,2}}[/-]\d{{4}},? {_CLOCK}{_FRACTION}",
             (*_forms("%d/%m/%Y %H:%M:%S"), *_forms("%d-%m-%Y %H:%M:%S")), either=True),
    DateForm(rf"\d{{1,2}}[ -]{_MONTH}[ -]\d{{4}},? {_CLOCK}{_FRACTION}",
             (*_forms("%d %b %Y %H:%M:%S"), *_forms("%d-%b-%Y %H:%M:%S"))),
    DateForm(rf"{_MONTH} {{1,2}}\d{{1,2}},? \d{{4}},? {_CLOCK} [AP]M", ("%b %d %Y %I:%M:%S %p",)),
    DateForm(rf"{_MONTH} {{1,2}}\d{{1,2}},? \d{{4}},? {_CLOCK}", ("%b %d %Y %H:%M:%S",)),
    DateForm(rf"{_MONTH},? \d{{1,2}} {_MONTH} \d{{4}} {_CLOCK} [+-]\d{{4}}", ("%a %d %b %Y %H:%M:%S %z",), zoned=True),
    DateForm(rf"{_MONTH},? \d{{1,2}} {_MONTH} \d{{4}} {_CLOCK} GMT", ("%a %d %b %Y %H:%M:%S GMT",), zoned=True),
    DateForm(rf"{_MONTH} {_MONTH} {{1,2}}\d{{1,2}} {_CLOCK} \d{{4}}", ("%a %b %d %H:%M:%S %Y",)),
)  # fmt: skip


def date_form(values: list[str]) -> tuple[DateForm, bool] | None:
    """The form that all values are in, with the month first where they say so, and whether that is known."""
    for form in _ALL:
        if not values or not all(re.fullmatch(form.pattern, value) for value in values):
            continue
        if not form.either:
            return form, True
        pairs = [m.groups() for value in values if (m := _NUMBERS.match(value))]
        day_first = any(int(first) > 12 for first, _ in pairs)  # noqa: PLR2004 - months
        month_first = any(int(second) > 12 for _, second in pairs)  # noqa: PLR2004 - as above
        if day_first and month_first:
            return None
        if day_first:
            return form, True
        swapped = tuple(
            f.replace("%d", "%D").replace("%m", "%d").replace("%D", "%m") for f in form.forms
        )
        return DateForm(form.pattern, swapped), month_first
    return None
