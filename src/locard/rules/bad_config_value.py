"""The service got worse when its configuration was reloaded.

Pattern: a line says that a configuration, a setting or a flag was reloaded or changed, just where
  errors or latency changed. The new value does not work here: a limit too small, a wrong address.
Evidence: such a line inside the onset's interval or shortly before it, or right before the first message
  that was never there before, nearer than one of as many such lines would come by chance.
Against: the line came when it was worse already; chance brings one so near more often than once in a
  hundred times; the new messages name another mechanism. Then it is said beside the factors, not as one.
Next: the log around that moment; compare the two versions of the configuration, put the old back.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import shlex
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import bad_counts, share
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge as stands
from locard.model.moments import moment
from locard.model.wording import count, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case
    from locard.model.log_facts import ChangeLine, Onset

_BY_CHANCE = 0.01  # a coincidence in time is a factor only if it is as rare as this
_WORTH_A_LINE = 0.15
_LEAST_APART_S = 0.05  # two lines can be told apart in time
# What broke is said in words: then a change that came at the same time is not the first thing to look at.
_NAMES_ANOTHER = re.compile(
    r"certificate.{0,40}expired|no space left on device|too many open files|out of memory|disk quota exceeded"
    r"|read-only file system|cannot allocate memory|deadlock detected|input/output error",
    re.IGNORECASE,
)
_CRITICAL_SHARE = 0.25
_SHOWN = 90  # characters of a line in the title


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log whose onset falls on such a line."""
    for evidence, log in case.facts(LogSummary):
        if not log.changed or log.onset is None or not log.onset.baseline_seen:
            continue
        onset = log.onset
        config = [c for c in log.changes if c.kind == "config"]
        lines = [c for c in config if _chance(c, log, onset) <= _WORTH_A_LINE]
        if lines:
            yield _finding(evidence, log, onset, min(lines, key=lambda c: _chance(c, log, onset)))


def _chance(line: ChangeLine, log: LogSummary, onset: Onset) -> float:
    """How likely one of these lines comes that near to the onset if they fall anywhere in the log.

    Near is measured to the onset's interval, or to the first of the messages that are new, where that
    is nearer: the interval is wide where requests take long. Lines near the onset (one a worker, say)
    are one event, and so are as many elsewhere.
    """
    within = onset.latest - onset.earliest + 2 * _apart(line, onset)
    after = _before_first(line, log)
    if after is not None:
        within = min(within, after)
    near = min(1.0, within / _span(line))
    return -math.expm1((1 + line.elsewhere / line.near) * math.log1p(-min(near, 0.999)))


def _before_first(line: ChangeLine, log: LogSummary) -> float | None:
    """Seconds from the line to the first message that was never there before; None where it came first."""
    new = [m for m in log.messages if m.after and not m.before and m.first is not None]
    told = max(new, key=lambda m: m.after, default=None)
    if told is None or told.first is None or told.first < line.first:
        return None
    return max(told.first - line.first, _LEAST_APART_S)


def _span(line: ChangeLine) -> float:
    return max(line.near_s + line.rest_s, 1e-3)


def _apart(line: ChangeLine, onset: Onset) -> float:
    """Seconds between the line and the onset's interval."""
    return max(onset.earliest - line.first, line.first - onset.latest, 0.0)


def _finding(evidence: Evidence, log: LogSummary, onset: Onset, line: ChangeLine) -> Finding:
    apart = _apart(line, onset)
    where = "inside the interval of the onset"
    if apart:
        side = "before" if line.first < onset.earliest else "after"
        where = f"{apart:.1f} s {side} the interval of the onset"
    says = [f"{moment(line.first)}, {where}: {line.text}"]
    often = f"{line.elsewhere} such lines" if line.elsewhere else "no such line"
    chance = _chance(line, log, onset)
    by_chance = f"one comes so near by chance with a probability of {share(chance, 1)}"
    says.append(f"{often} in the other {line.rest_s:.0f} s of the log: {by_chance}")
    new = [m for m in log.messages if m.after and not m.before]
    first = _before_first(line, log)
    if new:
        when = f", the first {first:.1f} s later" if first is not None else ""
        says.append(
            f"new since then, {count(new[0].after, 'time')}{when}: {shorten(new[0].example, _SHOWN)}"
        )
    against = []
    other = next((m for m in new if _NAMES_ANOTHER.search(m.example)), None)
    if other is not None:
        text = f"the new messages name another mechanism: {shorten(other.example, _SHOWN)}"
        against.append(Support(evidence.id, Layer.LOGS, text))
    elif chance > _BY_CHANCE:
        text = f"it may be chance: {share(chance, 1)} is more than 1 %"
        against.append(Support(evidence.id, Layer.LOGS, text))
    rare = chance <= _BY_CHANCE and other is None
    if apart and line.first > onset.latest:
        against.append(Support(evidence.id, Layer.LOGS, "it was worse already when the line came"))
    rate = log.after_bad / log.after_total if log.after_total else 0.0
    over = stands(log).over
    bad = rare and rate >= _CRITICAL_SHARE and not over
    text = shorten(line.text, _SHOWN)
    return Finding(
        rule="bad-config-value",
        layer=Layer.LOGS,
        role=Role.MECHANISM if rare else Role.CONTEXT,
        severity=Severity.CRITICAL if bad else Severity.WARNING,
        title=f"It got worse as the configuration changed: {text}",
        detail=f"{'; '.join(says)}; {bad_counts(log)}",
        supports=tuple(Support(evidence.id, Layer.LOGS, s) for s in says),
        against=tuple(against),
        next_commands=(
            f"locard logs {shlex.quote(log.source)} --around {_iso(line.first)} --window 5s",
        )
        if log.source != "-"
        else (),
    )


def _iso(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
