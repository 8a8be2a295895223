"""Clients that repeat what fails at once multiply the traffic, and keep the trouble alive.

Pattern: since the onset requests fail or are slow, and each is sent several times: more lines a
  trace id (or higher attempt numbers) than before, and more traffic from as many users.
Evidence: request lines and trace ids before and after the onset; the field that counts attempts;
  requests a second.
Against: the traffic did not rise; there are more different requests as well, so users came too.
Next: one request with all its attempts; limit or space the retries of the clients that send them.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import bad_counts, share
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge as stands
from locard.rules import _groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case
    from locard.model.log_facts import Attempts

_LEAST_GROWTH = 1.2  # attempts a request after over before: a fifth more load is no small matter
_LEAST_SIGMAS = 5.0
_CRITICAL_SHARE = 0.25
_ATTEMPT = re.compile(
    r"(^|[._-])(attempts?|retry|retries|(retry|attempt)[._-]?(count|no|number|index))$",
    re.IGNORECASE,
)


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log in which requests are repeated more often than before."""
    for evidence, log in case.facts(LogSummary):
        if not log.changed:
            continue
        joined = log.coverage.kind == "joined"  # the lines since then are of other writers too
        seen = None if joined else log.attempts
        supports, against = _by_trace(seen) if seen else ([], [])
        supports += _by_field(log)
        if not supports:
            continue
        rate = log.after_bad / log.after_total if log.after_total else 0.0
        over = stands(log).over
        supports.append(bad_counts(log))
        yield Finding(
            rule="retry-storm",
            layer=Layer.LOGS,
            role=Role.MECHANISM,
            severity=Severity.CRITICAL
            if rate >= _CRITICAL_SHARE and not over
            else Severity.WARNING,
            title=f"Retries {'multiplied' if over else 'multiply'} the traffic: {supports[0]}",
            detail="; ".join(supports),
            supports=tuple(Support(evidence.id, Layer.LOGS, s) for s in supports),
            against=tuple(Support(evidence.id, Layer.LOGS, s) for s in against),
            next_commands=_groups.trace_command(log),
        )


def _by_trace(seen: Attempts) -> tuple[list[str], list[str]]:
    """What lines a trace id say for and against."""
    before, after = seen.before_lines / seen.before_traces, seen.after_lines / seen.after_traces
    # How many more lines than as many traces had before; both counts are as sure as Poisson ones.
    extra = seen.after_lines - seen.after_traces * before
    spread = math.sqrt(seen.after_lines * (1 + seen.after_lines / seen.before_lines))
    if after < _LEAST_GROWTH * before or extra < _LEAST_SIGMAS * math.sqrt(seen.after_lines):
        return [], []
    supports = [f"each request comes {after:.2f} times, {before:.2f} times before"]
    against = []
    if seen.before_s > 0 and seen.after_s > 0:
        was, now = seen.before_lines / seen.before_s, seen.after_lines / seen.after_s
        users = seen.after_traces / seen.after_s / (seen.before_traces / seen.before_s)
        words = f"{was:.1f} requests/s before, {now:.1f} after"
        if (now - was) * seen.after_s > 2 * spread:
            supports.append(f"the traffic rose with it: {words}")
        else:
            against.append(f"the traffic did not rise: {words}")
        if users > _LEAST_GROWTH:
            against.append(f"there are {users:.1f} times as many different requests as well")
    return supports, against


def _by_field(log: LogSummary) -> list[str]:
    """What a field that numbers the attempts says: its mean before and after."""
    found = []
    for field in dict.fromkeys(g.field for g in log.groups if _ATTEMPT.search(g.field)):
        counts = [g for g in log.groups if g.field == field and g.value.isdigit()]
        n0, n1 = sum(g.before_total for g in counts), sum(g.after_total for g in counts)
        if not n0 or not n1:
            continue
        first = min(int(g.value) for g in counts)
        again0 = sum(g.before_total for g in counts if int(g.value) > first)
        again1 = sum(g.after_total for g in counts if int(g.value) > first)
        excess = again1 - again0 * n1 / n0
        grown = (1 - again0 / n0) / max(1 - again1 / n1, 1e-9)  # attempts a request
        if grown >= _LEAST_GROWTH and excess >= _LEAST_SIGMAS * math.sqrt(again1):
            found.append(
                f"{share(again1, n1)} of the requests are repeated ones by their {field}, "
                f"{share(again0, n0)} before"
            )
    return found
