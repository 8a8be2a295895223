"""Which columns of a scan are kept, and as what: values, and codes with their few texts, cost little.

The columns of a large log that hold many different texts cost more to write than the log costs to read
again, with these alone: of such a log they are left out of the copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from locard.logs.ask.log_view import Sheet
    from locard.logs.fields.meaning import Meaning
    from locard.logs.table.kept_values import Stored

_MOST_TEXT = 1 << 18  # characters of the texts of a column's codes; more belong into the file


@dataclass(frozen=True, slots=True)
class KeptColumns:
    """Columns that are kept as values or codes, the texts of the latter, and the fields that are left out."""

    values: Mapping[str, Stored]
    texts: Mapping[str, list[str]] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    def picks(self, meaning: Meaning) -> list[str]:
        """SQL of the columns that go into the file."""
        every = (*meaning.columns.items(), *meaning.raws.items())
        columns = dict.fromkeys(c for name, c in every if name not in self.absent)
        return [f"{c}_kept" if c in self.values else c for c in columns]

    def views(self) -> list[str]:
        """SQL of the texts of what the file has as values."""
        found = []
        for column, stored in self.values.items():
            kept = f"{column}_kept"
            text = (
                f"getvariable('{stored.dictionary}')[{kept}]"
                if stored.kind == "codes"
                else replace(stored, column=kept).text
            )
            found.append(f"{text} AS {column}")
        return found


def chosen(sheet: Sheet, *, cheap: bool) -> KeptColumns:
    """What of a scan is kept: all of it, or what is cheap."""
    values = {c: s for c, s in sheet.stored.items() if s.is_value}
    texts = {}
    for column, stored in sheet.stored.items():
        if stored.kind != "codes":
            continue
        ((found,),) = sheet.db.execute(f"SELECT getvariable('{stored.dictionary}')").fetchall()
        if sum(map(len, found)) <= _MOST_TEXT:
            texts[column], values[column] = found, stored
    meaning, absent = sheet.meaning, set[str]()
    if cheap:
        absent = {name for name, column in meaning.columns.items() if column not in values}
        absent.update(meaning.raws)
        left = {c for name, c in meaning.columns.items() if name not in absent}
        values = {c: s for c, s in values.items() if c in left}
        texts = {c: t for c, t in texts.items() if c in left}
    return KeptColumns(values, texts, frozenset(absent))
