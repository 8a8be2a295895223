"""The service got worse for its users: errors or latency changed at an onset.

Pattern: the logs show an onset after which more requests fail or are slow. It says that and when,
  not why; other rules name mechanisms.
Evidence: the first pass over the logs; the service's own metrics where they confirm it.
Against: metrics that saw enough requests and no change.
Next: the log itself around the onset.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Case, Finding, Role, Severity, Support
from locard.model.headline import bad_counts, milliseconds, part_words
from locard.model.log_facts import LogSummary
from locard.rules import _facts

if TYPE_CHECKING:
    from collections.abc import Iterator

_CRITICAL_SHARE = 0.25  # of the requests after the onset


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log that shows a change."""
    for evidence, log in case.facts(LogSummary):
        if not log.changed or not log.after_total:
            continue
        says = _says(log)
        confirms, contradicts = _metrics(case, log)
        rate = log.after_bad / log.after_total
        yield Finding(
            rule="service-degraded",
            layer=Layer.LOGS,
            role=Role.SCOPE,
            severity=Severity.CRITICAL if rate >= _CRITICAL_SHARE else Severity.WARNING,
            title=f"The service got worse{_for_whom(log)}: {says}",
            detail=f"Bad means: {log.bad_means}. Shape: {log.shape}.",
            supports=(Support(evidence.id, Layer.LOGS, says), *confirms),
            against=contradicts,
            next_commands=(f"locard logs {shlex.quote(log.source)}",) if log.source != "-" else (),
        )


def _says(log: LogSummary) -> str:
    parts = [bad_counts(log)]
    if "latency" in log.changed:
        parts.append(f"p99 {milliseconds(log.before_p99_ms)} to {milliseconds(log.after_p99_ms)}")
    return ", ".join(parts)


def _for_whom(log: LogSummary) -> str:
    return f" for {part_words(log)} only" if log.of_part else ""


def _metrics(case: Case, log: LogSummary) -> tuple[tuple[Support, ...], tuple[Support, ...]]:
    """What the service's own latency histograms say: for and against."""
    if "latency" not in log.changed:
        return (), ()
    rises = _facts.rises(case, "server")
    confirms = [r for r in rises if r.rose]
    steady = [r for r in rises if r.steady]
    if confirms:
        return tuple(_support(r) for r in confirms[:1]), ()
    return (), tuple(_support(r) for r in steady[:1])


def _support(rise: _facts.Rise) -> Support:
    return Support(rise.evidence, Layer.METRICS, f"request latency: {rise.words}")
