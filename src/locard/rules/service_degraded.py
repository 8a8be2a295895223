"""The service is bad for its users: it got worse at an onset, or stands badly all along.

Pattern: the logs show an onset after which more requests fail or are slow; or errors from the first line
  on, errors only, or lines that say that something broke. It says that and when, not why; other rules
  name mechanisms. What is over is said in the past tense.
Evidence: the first pass over the logs; the service's own metrics where they confirm it.
Against: metrics that saw enough requests and no change.
Next: the log itself around the onset, or its last lines.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model import log_sentences
from locard.model.evidence import Layer
from locard.model.finding import Case, Finding, Role, Severity, Support
from locard.model.headline import bad_counts, milliseconds, part_words
from locard.model.log_facts import LogSummary
from locard.model.log_latency import risen
from locard.model.log_state import judge as stands
from locard.model.moments import moment
from locard.model.wording import last_lines
from locard.rules import _facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.log_state import LogState

_CRITICAL_SHARE = 0.25  # of the requests after the onset
_WITHOUT_ONSET = {"bad-throughout", "errors-from-start", "errors-late", "alarms", "mix-changed"}


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log that shows a change, or a level that is bad itself."""
    for evidence, log in case.facts(LogSummary):
        state = stands(log)
        if log.changed and log.after_total and state.kind != "alarms":
            yield _of_change(case, evidence, log, state)
        elif not log.changed or state.kind == "alarms":
            yield from _without_onset(evidence, log, (state, *state.further))


def _of_change(case: Case, evidence: Evidence, log: LogSummary, state: LogState) -> Finding:
    says = _says(log, state)
    confirms, contradicts = _metrics(case, log)
    rate = log.after_bad / log.after_total
    bad = rate >= _CRITICAL_SHARE and not state.over
    verb = "was worse for a while" if state.over else "got worse"
    return Finding(
        rule="service-degraded",
        layer=Layer.LOGS,
        role=Role.SCOPE,
        severity=Severity.CRITICAL if bad else Severity.WARNING,
        title=f"The service {verb}{_for_whom(log)}: {says}",
        detail=f"Bad means: {log.bad_means}. Shape: {log.shape}.",
        supports=(Support(evidence.id, Layer.LOGS, says), *confirms),
        against=contradicts,
        next_commands=(f"locard logs {shlex.quote(log.source)}",) if log.source != "-" else (),
    )


def _without_onset(
    evidence: Evidence, log: LogSummary, states: tuple[LogState, ...]
) -> Iterator[Finding]:
    """The first of what is wrong with the log though no onset was found."""
    for state in [s for s in states if s.incident and s.kind in _WITHOUT_ONSET][:1]:
        says = log_sentences.sentence(log, state, moment)
        yield Finding(
            rule="service-degraded",
            layer=Layer.LOGS,
            role=Role.SCOPE,
            severity=Severity.WARNING,
            title=says.rstrip("."),
            detail=f"Bad means: {log.error_means}.",
            supports=(Support(evidence.id, Layer.LOGS, says),),
            next_commands=last_lines(log.source, log.last) if log.source.startswith("/") else (),
        )


def _says(log: LogSummary, state: LogState) -> str:
    parts = [bad_counts(log)]
    rose = risen(log) if "latency" in log.changed else None
    if rose is not None and rose[0] != "slow":
        name, before, after = rose
        parts.append(f"{name} {milliseconds(before)} to {milliseconds(after)}")
    if state.over and state.until is not None:
        ago = f", {log_sentences.duration(state.ago_s)} before it was read" if state.ago_s else ""
        parts.append(f"over since {moment(state.until)}{ago}")
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
