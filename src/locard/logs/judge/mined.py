"""Templates of what the records say: SQL over the records, by the native miner where it is there.

The scanner has mined the messages that it read by itself; those of lines of text are mined here, once they
are in the table. Without the native module ids and numbers are masked, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.table.sql_text import literal
from locard.logs.table.table import TEMPLATES

if TYPE_CHECKING:
    from locard.logs.table.table import Table

# UUIDs, hexadecimal ids (a digit within the first eight characters tells them from words), numbers.
VARIABLE = (
    "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|0x[0-9a-fA-F]+"
    r"|\b[a-fA-F]{0,7}[0-9][0-9a-fA-F]{7,}\b|[0-9]+"
)
_TEMPLATE_CHARS = 200
_MINED = "mined"  # rows of (_n, said)


@dataclass(frozen=True, slots=True)
class Mined:
    """SQL of the records as `source`, and over it of a code that stands for a template.

    `shown` is SQL of the template of a `code`, `variable` the list of all of them where codes are numbers.
    """

    source: str
    code: str
    shown: str = "code"
    variable: str = ""


def templates(table: Table) -> Mined:
    """What gives each record of `raw_kept` its template, by its message (`table.message`)."""
    if not table.message:
        return Mined("raw_kept", "CAST(NULL AS VARCHAR)")
    shown = f"getvariable('{TEMPLATES}')[code]"
    if table.shapes.get(table.message) == "skeletons" and not table.has_texts:
        return Mined("raw_kept", f"{table.message}s", shown, TEMPLATES)
    if table.engine != "native":
        text = f"left({table.message}, {_TEMPLATE_CHARS})"
        masked = f"regexp_replace({text}, {literal(VARIABLE)}, '#', 'g')"
        return Mined("raw_kept", masked)
    _mine(table)
    return Mined(f"(FROM raw_kept LEFT JOIN {_MINED} USING (_n))", "said", shown, TEMPLATES)


def _mine(table: Table) -> None:
    """Make the table of skeletons by record, and the list of their templates."""
    from locard._native import Templates  # noqa: PLC0415 - it need not be there

    found = Templates()
    # The rows of a sorted table come in order, and so the same log has the same templates each time.
    rows = found.add_rows(
        table.db.sql(f"SELECT _n, {table.message} FROM raw WHERE {table.message} IS NOT NULL")  # noqa: S608 - columns are ours
    )
    table.db.register("handed_out", rows)
    try:
        table.db.execute(f"CREATE OR REPLACE TEMP TABLE {_MINED} AS FROM handed_out")
    finally:
        table.db.unregister("handed_out")
    texts = [text for text, *_ in found.found()]
    table.db.execute(
        f"SET VARIABLE {TEMPLATES} = $texts::VARCHAR[]",
        {"texts": [texts[i] for i in found.groups()]},
    )
