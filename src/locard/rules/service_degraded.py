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
from locard.model.history_words import (
    amount,
    at_moment,
    is_bad_level,
    percent,
    signal_words,
    stopped,
)
from locard.model.log_facts import LogSummary
from locard.model.log_latency import risen
from locard.model.log_state import judge as stands
from locard.model.moments import moment
from locard.model.wording import last_lines
from locard.rules import _facts, _history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.log_state import LogState
    from locard.model.metric_facts import MeasuredSignal

_CRITICAL_SHARE = 0.25  # of the requests after the onset
_ROSE, _ENOUGH = 1.3, 200  # times what it was; requests that show a steady share
_LEAST = {"errors": 0.005}
_WITHOUT_ONSET = {"bad-throughout", "errors-from-start", "errors-late", "alarms", "mix-changed"}


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log that shows a change, or a level that is bad itself."""
    yield from _history.joined(_elsewhere(case), _from_history(case))


def _elsewhere(case: Case) -> Iterator[Finding]:
    """What the other layers say of it."""
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
    """What the service's own metrics say of the logs' onset: for and against."""
    told = list(_confirmed(case, log))
    confirms = tuple(s for s, holds in told if holds)
    contradicts = tuple(s for s, holds in told if holds is False)
    if "latency" not in log.changed or confirms or contradicts:
        return confirms[:2], () if confirms else contradicts[:1]
    rises = _facts.rises(case, "server")
    steady = [r for r in rises if r.steady]
    rose = [r for r in rises if r.rose]
    if rose:
        return tuple(_support(r) for r in rose[:1]), ()
    return (), tuple(_support(r) for r in steady[:1])


def _confirmed(case: Case, log: LogSummary) -> Iterator[tuple[Support, bool | None]]:
    """Each signal of a window of series at the logs' onset: confirms, contradicts, or no data."""
    if log.onset is None:
        return
    for evidence, found in _history.histories(case):
        for signal in found.signals:
            if signal.signal not in log.changed or signal.course is None:
                continue
            sides = at_moment(signal.course, log.onset.earliest, log.onset.latest)
            if sides is None:
                says = f"{signal.signal} of {signal.metric}: no data around the logs' onset"
                yield _history.support(evidence, says), None
                continue
            unit = "1" if signal.signal == "errors" else signal.unit
            words = (
                f"{amount(sides[0], unit)} before the logs' onset, {amount(sides[1], unit)} after"
            )
            rose = sides[1] > max(_ROSE * sides[0], sides[0] + _LEAST.get(signal.signal, 0.0))
            verb = "confirms" if rose else "contradicts"
            enough = rose or (signal.onset is None and signal.count >= _ENOUGH)
            if enough:
                says = f"{signal.signal} of {signal.metric} {verb} it: {words}"
                yield _history.support(evidence, says), rose


def _support(rise: _facts.Rise) -> Support:
    return Support(rise.evidence, Layer.METRICS, f"request latency: {rise.words}")


def _from_history(case: Case) -> Iterator[Finding]:
    """Errors or latency that rose in the numbers, or errors that are many all along."""
    for evidence, found in _history.histories(case):
        hurt = [
            s
            for s in found.signals
            if s.signal in {"errors", "latency"} and s.onset is not None and s.direction == "up"
        ] or stopped(found)
        steady = [s for s in found.signals if is_bad_level(s)]
        if not hurt and not steady:
            continue
        first = (hurt or steady)[0]
        over = first.ended is not None
        title = (
            f"The service {'was worse for a while' if over else 'got worse'}: {signal_words(first)}"
            if hurt
            else f"The level is bad all along: {percent(first.after)} of {first.metric} fail since before {moment(found.start_seen)}"
        )
        critical = (
            bool(hurt)
            and not over
            and any(s.signal == "errors" and (s.after or 0.0) >= _CRITICAL_SHARE for s in hurt)
        )
        says = [signal_words(s) for s in (hurt or steady)[:3]]
        yield Finding(
            rule="service-degraded",
            layer=Layer.METRICS,
            role=Role.SCOPE,
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            title=title,
            detail=first.detail,
            supports=tuple(_history.support(evidence, s) for s in says),
            next_commands=(_history.again(found, _service(first)),),
        )


def _service(signal: MeasuredSignal) -> tuple[tuple[str, str], ...]:
    return tuple(p for p in signal.subject if p[0] not in {"kind", "pod"})
