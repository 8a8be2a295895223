"""The service got worse when its configuration was reloaded.

Pattern: a line says that a configuration, a setting or a flag was reloaded or changed, just where
  errors or latency changed. The new value does not work here: a limit too small, a wrong address.
Evidence: such a line inside the onset's interval or shortly before it, nearer than one of as many
  such lines would come by chance; messages that are new since then.
Against: the line came when it was worse already.
Next: the log around that moment; compare the two versions of the configuration, put the old back.
"""

from __future__ import annotations

import datetime as dt
import math
import shlex
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import bad_counts
from locard.model.log_facts import LogSummary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case
    from locard.model.log_facts import ChangeLine, Onset

_BY_CHANCE = 0.1  # what is changed is a usual cause, so this need not be rarer
_CRITICAL_SHARE = 0.25
_SHOWN = 90  # characters of a line in the title


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log whose onset falls on such a line."""
    for evidence, log in case.facts(LogSummary):
        if not log.changed or log.onset is None or not log.onset.baseline_seen:
            continue
        onset = log.onset
        config = [c for c in log.changes if c.kind == "config"]
        lines = [c for c in config if _chance(c, onset) <= _BY_CHANCE]
        if lines:
            yield _finding(evidence, log, onset, min(lines, key=lambda c: _apart(c, onset)))


def _chance(line: ChangeLine, onset: Onset) -> float:
    """How likely one of these lines comes that near to the onset if they fall anywhere in the log.

    Lines near the onset (one a worker, say) are one event, and so are as many elsewhere.
    """
    near = min(1.0, (onset.latest - onset.earliest + 2 * _apart(line, onset)) / _span(line))
    return -math.expm1((1 + line.elsewhere / line.near) * math.log1p(-min(near, 0.999)))


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
    says = [f"{_clock(line.first)}, {where}: {line.text}"]
    often = f"{line.elsewhere} such lines" if line.elsewhere else "no such line"
    chance = f"one comes so near by chance with a probability of {_chance(line, onset):.1%}"
    says.append(f"{often} in the other {line.rest_s:.0f} s of the log: {chance}")
    new = [m for m in log.messages if m.after and not m.before]
    if new:
        says.append(f"new since then, {new[0].after} times: {new[0].example}")
    against = []
    if apart and line.first > onset.latest:
        against.append(Support(evidence.id, Layer.LOGS, "it was worse already when the line came"))
    rate = log.after_bad / log.after_total if log.after_total else 0.0
    text = line.text if len(line.text) <= _SHOWN else line.text[: _SHOWN - 1] + "…"
    return Finding(
        rule="bad-config-value",
        layer=Layer.LOGS,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL if rate >= _CRITICAL_SHARE else Severity.WARNING,
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


def _clock(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%H:%M:%S UTC")


def _iso(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
