"""Fields out of messages: key=value pairs and quoted values that stand within a text.

The message stays as it is; the pairs become fields beside it. A pair stands at the message's start, or behind a
blank, a comma or a bracket: what stands within a URL or a word is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.logs.lines.text_sql import PAIR_KEY, PAIR_QUOTED, pair_value
from locard.logs.table.sql_text import literal

if TYPE_CHECKING:
    from locard.logs.lines.added_fields import SideTable
    from locard.logs.table.table import Table

_PAIR = (
    rf"(?:^|[\s(\[{{,;|])({PAIR_KEY})=({PAIR_QUOTED}|\[[^\]]*\]|\{{[^}}]*\}}|[^\s\"'`,;)\]}}|]+)"
)
_LOOKED_AT = 20_000  # records, to see whether there are any
_FEWEST = 3  # records that have a key
_MOST_KEYS = 48
_NO_FIELDS = frozenset({"message", "line"})  # of their own already


def add_pairs(records: SideTable, table: Table) -> None:
    """Bring the pairs in the messages of the records into fields of theirs."""
    column = records.columns.get("message")
    if column is None:
        return
    every = max(1, records.rows // _LOOKED_AT)
    has = f"contains({column}, '=') AND regexp_matches({column}, {literal(_PAIR)})"
    (some,) = table.one(
        f"SELECT count(*) FROM {records.name} WHERE _n % {every} = 0 AND {has}"  # noqa: S608 - our names
    )
    if not some:
        return
    keys, texts = (f"regexp_extract_all({column}, {literal(_PAIR)}, {k})" for k in (1, 2))
    table.db.execute(
        f"""CREATE OR REPLACE TEMP TABLE paired AS SELECT _n AS n, {keys} AS keys, {texts} AS texts
            FROM {records.name} WHERE {has}"""  # noqa: S608 - our names
    )
    found = table.rows(
        f"""SELECT k FROM (SELECT unnest(keys) AS k FROM paired) GROUP BY k
            HAVING count(*) >= {_FEWEST} ORDER BY count(*) DESC, k LIMIT {_MOST_KEYS}"""  # noqa: S608 - numbers
    )
    sets = []
    for (key,) in found:
        target = None if key in _NO_FIELDS else records.add(key)
        if target is not None:
            value = pair_value(f"texts[list_position(keys, {literal(key)})]")
            sets.append(f"{target} = coalesce({target}, {value})")
    if sets:
        table.db.execute(
            f"UPDATE {records.name} SET {', '.join(sets)} FROM paired WHERE _n = n"  # noqa: S608 - our names
        )
    table.db.execute("DROP TABLE paired")
