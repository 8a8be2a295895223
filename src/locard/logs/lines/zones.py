"""Zones that times name by letters, as offsets from UTC, and the SQL that reads them.

Letters mean different zones in different places. Where another zone of the same name is in wide use, what
was taken is said.

Source: the abbreviations in the tz database, and RFC 2822 for those of North America.
"""

from __future__ import annotations

from locard.logs.table.sql_text import literal

OFFSETS = {
    "UTC": "+00:00", "GMT": "+00:00", "WET": "+00:00", "WEST": "+01:00", "BST": "+01:00", "CET": "+01:00",
    "MET": "+01:00", "CEST": "+02:00", "MEST": "+02:00", "EET": "+02:00", "EEST": "+03:00", "MSK": "+03:00",
    "SAST": "+02:00", "EAT": "+03:00", "PKT": "+05:00", "IST": "+05:30", "NPT": "+05:45", "WIB": "+07:00",
    "HKT": "+08:00", "SGT": "+08:00", "AWST": "+08:00", "JST": "+09:00", "KST": "+09:00", "ACST": "+09:30",
    "AEST": "+10:00", "ACDT": "+10:30", "AEDT": "+11:00", "NZST": "+12:00", "NZDT": "+13:00", "BRT": "-03:00",
    "ART": "-03:00", "NST": "-03:30", "NDT": "-02:30", "ADT": "-03:00", "AST": "-04:00", "EDT": "-04:00",
    "EST": "-05:00", "CDT": "-05:00", "CST": "-06:00", "MDT": "-06:00", "MST": "-07:00", "PDT": "-07:00",
    "PST": "-08:00", "AKDT": "-08:00", "AKST": "-09:00", "HST": "-10:00",
}  # fmt: skip
# What else people mean by the same letters.
_ELSEWHERE = {
    "IST": "Ireland's is +01:00, Israel's +02:00",
    "CST": "China's is +08:00",
    "CDT": "Cuba's is -04:00",
    "BST": "Bangladesh's is +06:00",
    "AST": "Arabia's is +03:00",
    "EST": "some take it for Australia's, +10:00",
}
NAMES = "|".join(sorted(OFFSETS, key=lambda name: (-len(name), name)))  # of a pattern


def offset_sql(name: str) -> str:
    """SQL of the offset (+02:00) that letters mean; null where they are not known."""
    cases = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in OFFSETS.items())
    return f"CASE {name} {cases} END"


def with_offset_sql(text: str) -> str:
    """SQL of a time whose zone stands in letters at its end with an offset there; others stay as they are."""
    name = f"regexp_extract({text}, '[0-9] ?([A-Z]{{3,5}})$', 1)"
    bare = f"regexp_replace({text}, ' ?[A-Z]{{3,5}}$', '')"
    return (
        f"CASE WHEN right({text}, 2) SIMILAR TO '[A-Z]{{2}}' "
        f"THEN coalesce({bare} || {offset_sql(name)}, {text}) ELSE {text} END"
    )


def reading_of(name: str) -> str:
    """How letters are read, if that has to be said; empty where they mean but one thing."""
    if name in {"UTC", "GMT", "Z"}:
        return ""
    if name not in OFFSETS:
        return f"times name the zone {name[:32]}, whose offset is not known: read as UTC; --log-tz says it"
    if name not in _ELSEWHERE:
        return ""
    return (
        f"times name the zone {name}: read as {OFFSETS[name]}; {_ELSEWHERE[name]}: --log-tz says it"
    )
