"""SQL that takes lines of text apart: by a pattern, by pieces between quotes, by blanks between pairs.

A pattern with many groups costs DuckDB's RE2 ten times what finding out that it fits does; of at
most four groups, on a short text, it costs little more. So lines are cut first where that is safe.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.lines.line_format import MOST_BEFORE
from locard.logs.table.sql_text import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from locard.logs.lines.line_format import TextFormat

_BLANKS = r"E' \t\r\f\x0b' || chr(65279)"
# A key of a pair: letters of any alphabet. Its value may stand in quotes of three kinds.
PAIR_KEY = "[A-Za-z_@\x80-\U0010ffff][\\w.@/\x80-\U0010ffff-]*"
PAIR_QUOTED = r"""\"(?:[^\"\\]|\\.)*\"|'[^']*'|`[^`]*`"""
_PAIR = rf"({PAIR_KEY})=({PAIR_QUOTED}|[^\s\"]*)"
# Of colours and titles, as ECMA-48 has them.
ESCAPE_SEQUENCE = r"\x1b\[[0-9;:?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
_NAMED = re.compile(r"\(\?P<\w+>")
_ALL_OF_IT = re.compile(r"\(\?P<(\w+)>\.\*\)")


@dataclass(frozen=True, slots=True)
class Read:
    """A `source` of rows (n, ...), and SQL over it of the text of each group.

    Where `pairs` is there, it is a query of rows with the same groups and the lists keys and texts.
    """

    source: str
    groups: Mapping[str, str]
    pairs: str = ""


def plain(text: str) -> str:
    """A line without what colours it on a terminal (ANSI's escape sequences)."""
    sequence = literal(ESCAPE_SEQUENCE)
    return (
        f"CASE WHEN contains({text}, chr(27)) THEN regexp_replace({text}, {sequence}, '', 'g') "
        f"ELSE {text} END"
    )


def bare(text: str) -> str:
    """A line without the blanks around it; most have none, and `trim` looks at each character."""
    return (
        f"CASE WHEN contains({_BLANKS}, {text}[1]) OR contains({_BLANKS}, {text}[-1]) "
        f"THEN trim({text}, {_BLANKS}) ELSE {text} END"
    )


def pair_value(text: str, *, plain: bool = False) -> str:
    """SQL of the value of a pair without its quotes; null where it is empty. `plain` ones have no backslash."""
    inside = f"substr({text}, 2, greatest(length({text}) - 2, 0))"
    if plain:
        return f"nullif(CASE WHEN {text}[1] = '\"' THEN {inside} ELSE {text} END, '')"
    quoted = f"CASE WHEN json_valid({text}) THEN json_extract_string({text}, '$') ELSE {inside} END"
    return (
        f"nullif(CASE WHEN length({text}) < 2 THEN {text} WHEN {text}[1] = '\"' THEN {quoted} "
        f"WHEN {text}[1] IN (chr(39), '`') AND {text}[-1] = {text}[1] THEN {inside} ELSE {text} END, '')"
    )


def any_of(patterns: Iterable[str]) -> str:
    """A pattern that fits what any of them fits."""
    return "|".join(f"(?:{_NAMED.sub('(?:', pattern)})" for pattern in patterns)


def by_pattern(form: TextFormat, lines: str, *, may_not_fit: bool = False) -> Read:
    """Rows (n, line) of which each fits the format; or, with `may_not_fit`, those that surely do."""
    source, groups = f"(SELECT n, {_extract('line', form.pattern)} AS v FROM {lines})", form.groups  # noqa: S608 - our own words
    if may_not_fit:
        found = _barrier(_extract("line", form.unbounded or form.pattern))
        near = f"length(v.before) <= {MOST_BEFORE}" if form.unbounded else "true"
        source = f"(FROM (SELECT n, {found} AS v FROM {lines}) WHERE {near} AND ({_filled('v', groups)}))"  # noqa: S608 - our own words
    pairs = ""
    if "pairs" in groups:
        keys, texts = (
            f"regexp_extract_all(v.pairs, {literal(form.pair or _PAIR)}, {k})" for k in (1, 2)
        )
        pairs = f"SELECT n, v, {keys} AS keys, {texts} AS texts FROM {source}"  # noqa: S608 - our own words
    return Read(source, {group: f"v.{group}" for group in groups}, pairs)


def by_pieces(pieces: tuple[str, ...], lines: str) -> Read:
    """Rows (n, line): those that quotes cut into such pieces (see `TextFormat.pieces`)."""
    parts, fits, groups = ["p := p"], [f"len(v.p) = {len(pieces)}"], {}
    for i, piece in enumerate(pieces, 1):
        names = re.compile(piece).groupindex
        if whole := _ALL_OF_IT.fullmatch(piece):
            groups[whole[1]] = f"v.p[{i}]"
        elif not names:
            fits.append(f"regexp_full_match(v.p[{i}], {literal(piece)})")
        else:
            parts.append(f"e{i} := {_extract(f'p[{i}]', piece)}")
            empty = f"v.p[{i}] = '' OR " if re.fullmatch(piece, "") else ""
            fits.append(f"({empty}{_filled(f'v.e{i}', names)})")
            groups.update({name: f"v.e{i}.{name}" for name in names})
    cut = (
        f"""(SELECT n, string_split(line, '"') AS p FROM {lines} WHERE NOT contains(line, '\\'))"""  # noqa: S608 - our own words
    )
    found = _barrier(f"struct_pack({', '.join(parts)})")
    source = f"(FROM (SELECT n, {found} AS v FROM {cut}) WHERE {' AND '.join(fits)})"  # noqa: S608 - our own words
    return Read(source, groups)


def by_plain_pairs(pattern: str, lines: str) -> Read:
    """Rows (n, line): those that fit a pattern of plain pairs (see `TextFormat.plain_pairs`)."""
    apart = (
        "string_split(array_to_string(list_transform(string_split(line, '\"'), lambda x, i: "
        "CASE WHEN i % 2 = 1 THEN replace(x, ' ', chr(1)) ELSE x END), '\"'), chr(1))"
    )
    pairs = f"""
        SELECT n, list_transform(l, lambda x: left(x, strpos(x, '=') - 1)) AS keys,
               list_transform(l, lambda x: substr(x, strpos(x, '=') + 1)) AS texts
        FROM (SELECT n, {apart} AS l FROM {lines} WHERE regexp_full_match(line, {literal(pattern)}))"""  # noqa: S608 - our own words
    return Read("", {}, pairs)


def _extract(text: str, pattern: str) -> str:
    """The groups of a pattern that fits the whole of a text; empty ones where it does not."""
    names = ", ".join(map(literal, re.compile(pattern).groupindex))
    return f"regexp_extract({text}, {literal(f'^(?:{pattern})$')}, [{names}])"


def _filled(value: str, groups: Iterable[str]) -> str:
    """Whether a pattern has fitted: one that leaves all of its groups empty tells nothing anyway."""
    return " OR ".join(f"{value}.{group} <> ''" for group in groups)


def _barrier(value: str) -> str:
    """The same value, which a condition on it does not make DuckDB compute a second time."""
    return f"unnest([{value}])"
