"""Lines near the onset that say that something was changed: a reload, a deploy, a restart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.logs.table.sql_text import literal
from locard.model.log_facts import ChangeLine

if TYPE_CHECKING:
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table
    from locard.model.log_facts import ChangeKind, Onset

# Near is a twentieth of the log before the onset, at least 5 s and at most a minute: what is changed
# works at once or soon. Requests are dated by their begin, so a change may come a little after the
# first of those that it hurt.
_NEAR_SHARE, _NEAR_LEAST_S, _NEAR_MOST_S = 0.05, 5.0, 60.0
_AFTER_S = 2.0
_MOST_LINES = 400
_MOST_KINDS = 6
_TEXT_CHARS = 200
_LEAST_PREFIX = 8
_CHANGED = "(re-?load|chang|updat|appl(y|ied)|refresh|re-?read|new|switch|rolled)"
_CONFIG = "(config|setting|propert(y|ies)|parameter|feature.?flag|flagd|secret)"
_PATTERNS: dict[ChangeKind, str] = {
    "config": rf"\b{_CHANGED}.{{0,60}}{_CONFIG}|{_CONFIG}.{{0,60}}{_CHANGED}|\b(sighup|signal:? hup)\b",
    "deploy": r"\b(deploy(ed|ing|ment)|rollout|rolling (update|out)|new (version|release)|"
    r"(version|release) [\w.-]+ (started|live|active))\b",
    "restart": r"\b(re-?start(ed|ing)?|shutting down|start(ed|ing) (up|server|worker|application)|"
    r"boot(ed|ing)|server started|listening (on|at))\b",
}


def near(table: Table, events: Events, column: str, onset: Onset) -> tuple[ChangeLine, ...]:
    """Kinds of lines that say so, those of the configuration first; at most six.

    `column` holds the messages. Lines of requests do not count, where the log tells them apart.
    """
    if events.first is None or events.last is None or not onset.baseline_seen:
        return ()
    span = events.last - events.first
    near_s = min(max(_NEAR_SHARE * span, _NEAR_LEAST_S), _NEAR_MOST_S)
    start, end = onset.earliest - near_s, onset.latest + _AFTER_S
    cases = " ".join(
        f"WHEN regexp_matches({column}, {literal(pattern)}, 'i') THEN {literal(kind)}"
        for kind, pattern in _PATTERNS.items()
    )
    rows = table.rows(
        f"""SELECT kind, msg, t_end FROM (
              SELECT CASE {cases} END AS kind, left({column}, {_TEXT_CHARS}) AS msg, t_end, n
              FROM ev JOIN raw ON n = _n
              WHERE t_end >= $start AND t_end <= $end AND {column} IS NOT NULL
                AND (NOT request OR $every))
            WHERE kind IS NOT NULL ORDER BY n LIMIT {_MOST_LINES}""",  # noqa: S608
        {"start": start, "end": end, "every": not _tells_requests(table)},
    )
    found: dict[tuple[ChangeKind, str], list[tuple[str, float]]] = {}
    for kind, text, at in rows:
        found.setdefault((kind, re.sub(r"\d+", "#", text)), []).append((text, at))
    order = list(_PATTERNS)
    ranked = sorted(found.items(), key=lambda item: (order.index(item[0][0]), item[1][0][1]))
    lines = []
    for (kind, _), same in ranked[:_MOST_KINDS]:
        every = _like(table, column, same[0][0])
        times = [at for _, at in same]
        lines.append(
            ChangeLine(
                kind=kind,
                text=same[0][0],
                first=min(times),
                last=max(times),
                near=len(same),
                elsewhere=max(0, every - len(same)),
                near_s=round(end - start, 3),
                rest_s=round(max(0.0, span - (end - start)), 3),
            )
        )
    return tuple(lines)


def _tells_requests(table: Table) -> bool:
    return bool(table.one("SELECT count(*) FILTER (NOT request) > 0 FROM ev")[0])


def _like(table: Table, column: str, text: str) -> int:
    """How many messages begin like this one, up to its first number or value."""
    prefix = re.split(r"[\d:=\"'\[({]", text, maxsplit=1)[0]
    if len(prefix) < _LEAST_PREFIX:
        prefix = text
    (count,) = table.one(
        f"SELECT count(*) FROM raw WHERE starts_with({column}, $prefix)",  # noqa: S608
        {"prefix": prefix},
    )
    return int(count)
