"""Records of a log counted by code first, where a question is about few different texts alone.

Millions of records are then a few combinations of codes, and each text is looked at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locard.logs.ask.log_view import Sheet

_WORD = re.compile(r"(?<![$\w])[A-Za-z_]\w*")


def counted(sheet: Sheet, *sql: str) -> tuple[str, str]:
    """What to read for SQL over the columns of a sheet, and the SQL that counts its records."""
    meaning = sheet.meaning
    columns = {*meaning.columns.values(), *meaning.raws.values()}
    known = columns | {f"{c}_kept" for c in columns} | {"_n", "_t", "_d"}
    used = {word for part in sql for word in _WORD.findall(part)} & known
    codes = {c: sheet.stored[c] for c in sorted(used) if c in sheet.stored}
    if not used or len(codes) < len(used) or any(s.kind != "codes" for s in codes.values()):
        return sheet.relation, "count(*)"
    kept = ", ".join(f"{c}_kept" for c in codes)
    texts = ", ".join(f"getvariable('{s.dictionary}')[{c}_kept] AS {c}" for c, s in codes.items())
    counts = f"SELECT {kept}, count(*) AS many FROM {sheet.relation} GROUP BY ALL"  # noqa: S608 - columns are ours
    return f"(SELECT {texts}, many FROM ({counts}))", "coalesce(sum(many), 0)::BIGINT"  # noqa: S608 - as above
