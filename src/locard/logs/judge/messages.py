"""What the log says: templates that came, went or changed at the onset, and the numbers in them.

`ev.tm` is the template of each record (see `mined`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from locard.logs.judge import causes
from locard.logs.judge.mined import VARIABLE
from locard.logs.table.sql_text import literal
from locard.model.log_facts import MessageCount, NumberChange, TemplateChange
from locard.stats.intervals import excess_evidence, tail_bound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.logs.judge.change import Change
    from locard.logs.table.table import Table
    from locard.model.log_facts import TemplateChangeKind

_MOST_MESSAGES = 8
_MOST_KINDS = 2000  # of bad lines, before those that differ in ids are one
_MOST_VARIANTS = 6  # texts of one template that are told apart
_MOST_BAD = 50_000  # bad lines whose texts are looked at, the last ones
_LONGEST_TEXT = 500
_MOST_CAUSES = 6  # fields of an error
_MOST_CHANGES = 8
_EXAMPLE_CHARS = 200
_ALPHA = 0.001  # for all templates together
_LEAST_RATIO = 2.0
_FEWEST = 5  # lines of a template on each side, to compare its numbers
_MOST_NUMBERS = 12  # templates whose numbers are looked at
_SAMPLE = 200  # lines of a template on each side
_TIMES = 3.0  # a number that changed by less is not worth a line
_MOSTLY = 0.5  # of a template's lines have the number: else the digits are those of some ids
# Times of day; what stands between numbers; a number with its unit (group 2) and what may end a sentence.
_CLOCK = "[0-9]+(?::[0-9]+)+"
_BETWEEN = r"""[\s=:,;()\[\]{}<>|"']+"""
_NUMBER = (
    r"[-+]?([0-9]+(?:[.][0-9]+)?)((?:[a-zA-Z\x{b5}\x{3bc}]{1,3}|secs?|seconds|bytes|%)?)[.!?]?"
)
_STRAY_TO_ONE = 20  # lines with the id as a number for one with an id that has no digit
_COUNTER = 0.95  # correlation with the line number: it counts something


def bad_ones(table: Table, change: Change) -> tuple[MessageCount, ...]:
    """What error lines and bad requests say, with the cause: the most frequent since the onset.

    Lines are counted by their template and by what the fields of an error say beside it; those that
    differ in ids and numbers only are one. A template with many different texts stands for them all.
    """
    values = {"start": change.onset.earliest if change.onset else 0.0}
    bad = f"FROM ev WHERE (err OR (request AND {change.is_bad}))"
    counts = """count(*) FILTER (NOT coalesce(t >= $start, true)),
                count(*) FILTER (coalesce(t >= $start, true)) AS now"""
    whole = table.rows(
        f"""SELECT tm::VARCHAR, {counts}, min(n), min(t_end) {bad} AND tm IS NOT NULL
            GROUP BY tm ORDER BY now DESC LIMIT {_MOST_KINDS}""",
        values,
    )
    # What good ones say as often tells nothing of the bad ones: then only a cause beside it does.
    good = _said_by_good(table, change)
    empty = {row[0] for row in whole if good.get(row[0], 0) >= row[1] + row[2]}
    variants = _variants(table, (bad, counts), values, empty)
    found: dict[str, MessageCount] = {}
    texts: dict[int, str] = {}
    for template, before, now, n, first in whole:
        mine = _join_strays(variants.pop(template, []))
        known = sum(m.before + m.after for m in mine)
        kinds = len({m.template for m in mine})
        if mine and known == before + now and kinds <= _MOST_VARIANTS:
            _merge(found, mine)
            continue
        if template in empty:
            _merge(found, mine[:_MOST_VARIANTS])
            continue
        if not mine and n not in texts:
            texts |= _texts(table, [n])
        example = mine[0].example if mine else texts.get(n, template)
        # More lines than were looked at, and all of those say the same.
        said = mine[0].template if kinds == 1 else template
        _merge(found, [MessageCount(said, before, now, example, first)])
    _merge(found, variants.pop(None, []))
    ranked = sorted(found.values(), key=lambda m: (-m.after, -m.before, m.template))
    return tuple(ranked[:_MOST_MESSAGES])


def _said_by_good(table: Table, change: Change) -> dict[str, int]:
    """How many good requests have each template."""
    return dict(
        table.rows(
            f"SELECT tm::VARCHAR, count(*) FROM ev WHERE NOT err AND request AND NOT {change.is_bad} "  # noqa: S608 - ours
            "AND tm IS NOT NULL GROUP BY tm"
        )
    )


def _variants(
    table: Table, asked: tuple[str, str], values: dict[str, Any], empty: set[str]
) -> dict[str | None, list[MessageCount]]:
    """By template: the different texts of bad lines with their causes, those that come most first.

    `asked` is the SQL of the bad lines and of their counts; `empty` are the templates that say
    nothing of them: with no cause beside they are left out.
    """
    bad, counts = asked
    columns = causes.columns_of(table.columns, table.message)[:_MOST_CAUSES]
    texts = (
        [f"left({table.message}, {_LONGEST_TEXT})"] if table.message else ["CAST(NULL AS VARCHAR)"]
    )
    texts += [causes.column_sql(c) for c in columns]
    picks = ", ".join(f"{sql} AS x{i}" for i, sql in enumerate(texts))
    masked = ", ".join(
        f"regexp_replace(x{i}, {literal(VARIABLE)}, '#', 'g') AS m{i}" for i in range(len(texts))
    )
    names = [f"m{i}" for i in range(len(texts))]
    names.append(f"regexp_extract(x0, {literal(causes.STATUS_SQL)}, 1)")
    shown = ", ".join(f"arg_min(x{i}, n)" for i in range(len(texts)))
    # The texts are looked at once the bad lines are picked.
    rows = table.rows(
        f"""SELECT tm::VARCHAR, {counts}, min(t_end), {shown}
            FROM (SELECT *, {masked} FROM (
                    SELECT tm, n, t, t_end, {picks}
                    FROM (SELECT tm, n, t, t_end {bad} ORDER BY n DESC LIMIT {_MOST_BAD}) JOIN raw ON n = _n))
            WHERE {" OR ".join(f"x{i} IS NOT NULL" for i in range(len(texts)))}
            GROUP BY tm, {", ".join(names)} ORDER BY now DESC, min(n) LIMIT {_MOST_KINDS}""",  # noqa: S608 - ours
        values,
    )
    found: dict[str | None, list[MessageCount]] = {}
    for template, before, now, first, text, *beside in rows:
        known = [b for b in beside if b]
        if template in empty and not known:
            continue
        says = causes.said(text or "", known, empty=template in empty)
        found.setdefault(template, []).append(
            MessageCount(causes.mask(says), before, now, says, first)
        )
    return found


def _join_strays(variants: list[MessageCount]) -> list[MessageCount]:
    """The variants, each once; those few that differ from the first in an id without a digit as the first."""
    found: dict[str, MessageCount] = {}
    _merge(found, variants)
    first = max(found.values(), key=lambda m: m.before + m.after, default=None)
    if first is None or "#" not in first.template:
        return list(found.values())
    form = re.compile(re.escape(first.template).replace(r"\#", r"[\w.-]+"))
    most = (first.before + first.after) / _STRAY_TO_ONE
    joined: dict[str, MessageCount] = {}
    for item in found.values():
        stray = item.before + item.after <= most and form.fullmatch(item.template)
        _merge(joined, [replace(item, template=first.template) if stray else item])
    return list(joined.values())


def _merge(found: dict[str, MessageCount], more: Sequence[MessageCount]) -> None:
    """Add messages, those that say the same as one."""
    for item in more:
        known = found.get(item.template)
        if known is None:
            found[item.template] = item
            continue
        times = [t for t in (known.first, item.first) if t is not None]
        found[item.template] = replace(
            known,
            before=known.before + item.before,
            after=known.after + item.after,
            first=min(times, default=None),
        )


def _texts(table: Table, numbers: Sequence[int]) -> dict[int, str]:
    """The messages of some records."""
    if not numbers or not table.message:
        return {}
    listed = ", ".join(map(str, numbers))
    text = f"left({table.message}, {_EXAMPLE_CHARS})"
    return dict(table.rows(f"SELECT _n, {text} FROM raw WHERE _n IN ({listed})"))  # noqa: S608 - numbers


def changes(table: Table, change: Change) -> tuple[TemplateChange, ...]:
    """Templates that are new since the onset, vanished, or at least twice or half as frequent.

    A template's share of all lines is compared, so that more traffic is no change of its lines. The
    gate is a p-value corrected for the number of templates.
    """
    if change.onset is None or change.before is None:
        return ()
    (b0, b1), (a0, a1) = change.before, change.after
    rows = table.rows(
        """SELECT tm::VARCHAR, count(*) FILTER (t_end >= $b0 AND t_end < $b1) AS early,
                  count(*) FILTER (t_end >= $a0 AND t_end <= $a1) AS late,
                  coalesce(min(n) FILTER (t_end >= $a0), min(n))
           FROM ev WHERE tm IS NOT NULL GROUP BY tm HAVING early + late > 0""",
        {"b0": b0, "b1": b1, "a0": a0, "a1": a1},
    )
    all_early, all_late = sum(r[1] for r in rows), sum(r[2] for r in rows)
    if not all_early or not all_late:
        return ()
    found = []
    for template, early, late, n in rows:
        kind = _kind(early, late, all_early, all_late, len(rows))
        if kind is not None:
            found.append((kind, template, early, late, n))
    order: list[TemplateChangeKind] = ["new", "vanished", "grown", "shrunk"]
    found.sort(key=lambda f: (order.index(f[0]), -(f[2] + f[3]), f[1]))
    kept = found[:_MOST_CHANGES]
    texts = _texts(table, [f[4] for f in kept])
    return tuple(TemplateChange(k, t, e, late, texts.get(n, t)) for k, t, e, late, n in kept)


def _kind(
    early: int, late: int, all_early: int, all_late: int, tests: int
) -> TemplateChangeKind | None:
    total = early + late
    share = all_late / (all_early + all_late)  # of its lines that would be late if nothing changed
    up = late * all_early > early * all_late
    evidence = (
        excess_evidence(late, total, share) if up else excess_evidence(early, total, 1 - share)
    )
    if tail_bound(evidence, tests) > _ALPHA:
        return None
    if early == 0 or late == 0:
        return "new" if up else "vanished"
    ratio = (late / all_late) / (early / all_early)
    if 1 / _LEAST_RATIO < ratio < _LEAST_RATIO:
        return None
    return "grown" if up else "shrunk"


def numbers(table: Table, change: Change) -> tuple[NumberChange, ...]:
    """Numbers inside a template that changed at the onset: a timeout of 50 that became 5000.

    Of the lines that are errors or no requests (a request's own numbers are its duration and its ids)
    a sample is compared, place by place: the middle half before must not touch the middle half after,
    and the medians differ by a factor of 3. What only counts up is left out, and so are the digits of
    ids, names, addresses and times of day: a number stands by itself, perhaps with its unit.
    """
    if change.onset is None or change.before is None or not table.message:
        return ()
    times = dict(zip(("b0", "b1", "a0", "a1"), (*change.before, *change.after), strict=True))
    early, late = "(t_end >= $b0 AND t_end < $b1)", "(t_end >= $a0 AND t_end <= $a1)"
    templates = table.rows(
        f"""SELECT tm::VARCHAR FROM ev WHERE tm IS NOT NULL AND (err OR NOT request) GROUP BY tm
            HAVING count(*) FILTER ({early}) >= {_FEWEST} AND count(*) FILTER ({late}) >= {_FEWEST}
            ORDER BY count(*) DESC LIMIT {_MOST_NUMBERS}""",  # noqa: S608 - ours
        times,
    )
    if not templates:
        return ()
    listed = ", ".join(literal(t) for (t,) in templates)
    rows = table.rows(
        f"""WITH picked AS (
              SELECT n, tm, later, count(*) OVER (PARTITION BY tm, later) AS lines FROM (
                SELECT n, tm, {late} AS later,
                       row_number() OVER (PARTITION BY tm, {late} ORDER BY hash(n)) AS k
                FROM ev WHERE tm::VARCHAR IN ({listed}) AND (err OR NOT request) AND ({early} OR {late}))
              WHERE k <= {_SAMPLE}),
            tokens AS (
              SELECT n, tm, later, lines, unnest(l) AS token, unnest(range(len(l))) AS k
              FROM (SELECT n, tm, later, lines, string_split_regex(regexp_replace(
                      left({table.message}, 400), {literal(_CLOCK)}, '#', 'g'), {literal(_BETWEEN)}) AS l
                    FROM picked JOIN raw ON _n = n)),
            found AS (
              SELECT n, tm, later, lines, regexp_extract(token, {literal(_NUMBER)}, 1) AS v,
                     regexp_extract(token, {literal(_NUMBER)}, 2) AS unit,
                     row_number() OVER (PARTITION BY n ORDER BY k) AS place, count(*) OVER (PARTITION BY n) AS many
              FROM tokens WHERE regexp_full_match(token, {literal(_NUMBER)}))
            SELECT tm::VARCHAR, place, unit, later, quantile_cont(CAST(v AS DOUBLE), [0.25, 0.5, 0.75]),
                   corr(n, CAST(v AS DOUBLE)), min(n)
            FROM found WHERE length(v) < 16 GROUP BY tm, place, unit, later, many, lines
            HAVING count(*) >= greatest({_FEWEST}, {_MOSTLY} * lines) ORDER BY 1, 2, 3, 4""",  # noqa: S608 - quoted
        times,
    )
    sides: dict[tuple[str, int, str], dict[bool, tuple[list[float], float | None, int]]] = {}
    for template, place, unit, later, quartiles, counts, n in rows:
        sides.setdefault((template, place, unit), {})[later] = (quartiles, counts, n)
    found = [
        (template, place, both[False][0][1], both[True][0][1], both[True][2])
        for (template, place, _), both in sides.items()
        if len(both) == 2 and _differ(both[False], both[True])  # noqa: PLR2004 - early and late
    ]
    texts = _texts(table, [f[4] for f in found])
    return tuple(
        NumberChange(template, place, round(one, 3), round(two, 3), texts.get(n, template))
        for template, place, one, two, n in found[:_MOST_CHANGES]
    )


def _differ(
    early: tuple[list[float], float | None, int], late: tuple[list[float], float | None, int]
) -> bool:
    (a, counting, _), (b, counting_on, _) = early, late
    if max(counting or 0.0, counting_on or 0.0) > _COUNTER:
        return False
    low, high = (a, b) if a[1] <= b[1] else (b, a)
    return high[0] > low[2] and high[1] >= _TIMES * max(low[1], 1e-9)
