"""File descriptors run out: of a process, or of the whole host.

Pattern: a process nears its limit of open files; accept, connect and open begin to fail with
  EMFILE (ENFILE for the host), which looks like errors of everything at once.
Evidence: the descriptors that a process has open against its limit, from /proc or from its own
  metrics; "Too many open files" among the messages of bad requests.
Against: a log that shows no change: near the limit is not over it yet.
Next: see of which kind they are and where they lead; a leak is mostly of one kind.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import MetricsSummary
from locard.model.finding import Support
from locard.model.history_words import amount, signal_words
from locard.model.log_facts import LogSummary
from locard.model.wording import count
from locard.rules import _facts, _history, _kernel, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_QUIET = "the logs are steady: no change of errors or latency"
_FULL = 0.8
_MESSAGE = re.compile(r"too many open files|\bEMFILE\b|\bENFILE\b", re.IGNORECASE)
_NEAR_LIMIT = 0.8  # of the limit, in metrics: what rose so far goes on


def judge(case: Case) -> Iterator[Finding]:
    """One finding for all processes that run out, or for log messages that say so."""
    yield from _history.joined(_elsewhere(case), _from_history(case))


def _elsewhere(case: Case) -> Iterator[Finding]:
    """What the other layers say of it."""
    bad = _facts.bad(case, semconv.PROCESS_OPEN_FDS, semconv.SYSTEM_OPEN_FILES)
    said = (*_messages(case), *_refused(case))
    if not bad and not said:
        return
    leaks = _facts.bad(case, semconv.PROCESS_CLOSE_WAIT)
    extra = (*said, *_metrics(case), *_readings.supports(leaks))
    failing = bool(said) or any(r.verdict == "critical" for _, r in bad)
    title = (
        f"File descriptors run out: {bad[0][1].subject} has {bad[0][1].value:g} of "
        f"{bad[0][1].limit:g} open"
        if bad and bad[0][1].limit is not None
        else "File descriptors ran out"
    )
    pids = [r.subject.removeprefix("pid ") for _, r in bad if r.subject.startswith("pid ")]
    against = () if said else tuple(_facts.steady_logs(case, _QUIET))
    yield _readings.finding(
        "fd-exhaustion",
        title,
        bad,
        mechanism=failing and not against,
        extra=extra,
        against=against,
        next_commands=(
            *(("ss -tanp state close-wait",) if leaks else ()),
            *(tuple(f"ls -l /proc/{pid}/fd" for pid in pids[:2]) or ("cat /proc/sys/fs/file-nr",)),
        ),
    )


def _refused(case: Case) -> Iterator[Support]:
    for evidence, found in _kernel.calls(case):
        for row in found.errors:
            if row.result in {"EMFILE", "ENFILE"}:
                says = f"{count(row.count, 'call')} of {row.what} failed with {row.result} in {found.observed.seconds:.1f} s"
                yield Support(evidence.id, Layer.KERNEL, says)


def _messages(case: Case) -> Iterator[Support]:
    for evidence, summary in case.facts(LogSummary):
        for message in summary.messages:
            if message.after > message.before and _MESSAGE.search(message.example):
                says = f"{message.after} bad requests since the onset say “{message.template}”"
                yield Support(evidence.id, Layer.LOGS, says)


def _metrics(case: Case) -> Iterator[Support]:
    for evidence, summary in case.facts(MetricsSummary):
        for signal in summary.signals:
            if signal.unit == "{fd}" and signal.limit and (signal.now or 0) >= _FULL * signal.limit:
                says = f"{signal.metric} is {signal.now:g} of {signal.limit:g}"
                yield Support(evidence.id, Layer.METRICS, says)


def _from_history(case: Case) -> Iterator[Finding]:
    """Descriptors that rose to their limit."""
    for evidence, found in _history.histories(case):
        for used in _history.risen(found, "fds"):
            if (_history.share_of(used) or 0.0) >= _NEAR_LIMIT:
                yield _history.finding(
                    "fd-exhaustion", evidence, found,
                    f"{_history.name_of(used)} has {amount(used.after, '')} of {amount(used.limit, '')} file descriptors open",
                    [signal_words(used)], values=used.subject,
                )  # fmt: skip
