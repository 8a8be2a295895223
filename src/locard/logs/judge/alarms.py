"""Lines that are too few for a rate and say that something broke: a worker timed out, memory ran out.

Critical ones, and errors that belong to no request, among many lines that are requests; and whatever says
in plain words that a process, a limit or a device gave up. Other errors count where what they say was
never said before, beyond chance. Those that came all along say nothing new, nor does what good lines say too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.logs.judge.causes import mask
from locard.logs.table.sql_text import literal
from locard.model.log_facts import Alarm

if TYPE_CHECKING:
    from locard.logs.fields.roles import Roles
    from locard.logs.judge.change import Change
    from locard.logs.judge.events import Events
    from locard.logs.table.table import Table

_CRITICAL = ("fatal", "critical", "crit", "panic", "emergency", "emerg", "alert", "dpanic", "f")
_BROKE = (
    r"(?i)worker timeout|worker .{0,40}(was sent sig|exited|died|killed)|harakiri|out of memory|oom.?kill"
    r"|segmentation fault|segfault|core dumped|panic:|too many open files|no space left on device"
    r"|read-only file system|listen queue .{0,20}full|deadlock|cannot allocate memory|stack overflow"
    r"|certificate has expired|cannot fork|resource temporarily unavailable|traceback \(most recent"
)
# Levels of lines that fail by their status, say: the line itself tells of no trouble.
_NO_TROUBLE = frozenset(
    ("info", "information", "inf", "i", "notice", "debug", "dbg", "d", "trace", "t", "verbose")
)
_MOST = 4
_MOST_LINES = 20_000
_MOST_ERRORS = 200_000  # so many are enough for a rate
_BY_CHANCE = 0.05  # lines that may fall anywhere all fall behind their first one
_BY_CHANCE_OTHERS, _FEWEST_OTHERS = 0.001, 8
_SINGLE, _LATE = 2, 0.5  # so few have to come in the later half of the log
_FEW_EARLIER = 0.2  # of as many as would be at the later rate
_TEXT_CHARS = 300


def found(table: Table, roles: Roles, events: Events, change: Change) -> tuple[Alarm, ...]:
    """The kinds of them that are new, those with the most lines first; at most four."""
    if not table.message or events.first is None or events.last is None:
        return ()
    (errors,) = table.one("SELECT count(*) FILTER (WHERE err) FROM ev")
    if not 0 < errors <= _MOST_ERRORS:
        return ()
    level = f"lower(CAST({roles.level.column} AS VARCHAR))" if roles.level else "''"
    listed = ", ".join(literal(w) for w in _CRITICAL)
    beside = "false"
    if roles.status is not None or roles.duration is not None:
        has = [r.column for r in (roles.status, roles.duration) if r is not None]
        beside = " AND ".join(f"({c}) IS NULL" for c in has)
    rows = table.rows(
        f"""SELECT coalesce({level}, '') AS level, left({table.message}, {_TEXT_CHARS}) AS text, t_end,
                   coalesce({level} IN ({listed}), false) OR ({beside})
                     OR regexp_matches({table.message}, {literal(_BROKE)}) AS grave
            FROM (FROM ev WHERE err AND (tm IS NULL OR tm NOT IN (
                    SELECT tm FROM ev WHERE NOT err AND tm IS NOT NULL))) JOIN raw ON n = _n
            WHERE {table.message} IS NOT NULL AND (grave OR {errors <= _MOST_LINES})
            ORDER BY t_end LIMIT {_MOST_LINES}""",  # noqa: S608 - columns are ours, texts are quoted
    )
    kinds: dict[str, list[tuple[str, str, float]]] = {}
    grave: set[str] = set()
    for word, text, at, is_grave in rows:
        if word in _NO_TROUBLE:
            continue
        template = mask(text)
        kinds.setdefault(template, []).append((word, text, at))
        if is_grave:
            grave.add(template)
    span = (events.first, events.last)
    alarms = []
    for template, lines in kinds.items():
        # One of many ordinary ones is new by chance more often.
        allowed = _BY_CHANCE if template in grave else _BY_CHANCE_OTHERS / len(kinds)
        least = 1 if template in grave else _FEWEST_OTHERS
        alarm = _alarm(template, lines, span, change, allowed)
        if alarm is not None and alarm.count >= least:
            alarms.append(alarm)
    alarms.sort(key=lambda a: (-a.count, a.first))
    return tuple(alarms[:_MOST])


def _alarm(
    template: str,
    lines: list[tuple[str, str, float]],
    span: tuple[float, float],
    change: Change,
    chance: float,
) -> Alarm | None:
    """The lines of one kind, if none came before the onset, or as late as they do by no chance."""
    whole = max(span[1] - span[0], 1e-3)
    start = lines[0][2]
    if change.onset is not None and change.onset.baseline_seen:
        start = change.onset.earliest
    late = [line for line in lines if line[2] >= start]
    earlier = len(lines) - len(late)
    gone = (start - span[0]) / whole
    if not late or earlier > _FEW_EARLIER * len(late) * gone:
        return None
    by_chance = max(0.0, 1 - gone) ** len(late)
    if by_chance > chance and (len(late) > _SINGLE or gone < _LATE):
        return None
    word, text, first = late[0]
    return Alarm(word, template, text, len(late), earlier, first, late[-1][2])
