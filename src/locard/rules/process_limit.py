"""Processes and threads reach a limit: of the cgroup, of the user, of the host.

Pattern: a pool grows or a child is started, and clone fails with EAGAIN: "can't start new thread",
  "unable to create native thread", "fork: Resource temporarily unavailable".
Evidence: tasks of the target's cgroup against pids.max, of its user against RLIMIT_NPROC, of the host
  against threads-max; such messages in the log.
Against: there is room, and the log tells of no thread that could not begin.
Next: see who has them: one program that makes threads without end, or a limit that is too low.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.finding import Support
from locard.model.log_facts import LogSummary
from locard.model.wording import count
from locard.rules import _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import Reading
    from locard.model.finding import Case, Finding

_FAILED = re.compile(
    r"can'?t start new thread|unable to create (new )?native thread|cannot fork|fork failed"
    r"|fork: |Resource temporarily unavailable|pthread_create|EAGAIN",
    re.IGNORECASE,
)


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the limit that is nearest."""
    bad = _facts.bad(
        case, semconv.CONTAINER_TASKS, semconv.PROCESS_USER_TASKS, semconv.SYSTEM_THREADS
    )
    if not bad:
        return
    bad.sort(key=lambda item: -item[1].value / (item[1].limit or 1))
    worst = bad[0][1]
    said = tuple(_messages(case))
    yield _readings.finding(
        "process-limit",
        f"{worst.subject} has {worst.value:g} of {worst.limit:g} processes and threads",
        bad,
        mechanism=bool(said) or (worst.limit is not None and worst.value >= worst.limit),
        extra=said,
        next_commands=(_next(worst),),
    )


def _messages(case: Case) -> Iterator[Support]:
    for evidence, summary in case.facts(LogSummary):
        for message in summary.messages:
            if message.after > message.before and _FAILED.search(message.example):
                says = f"the log says {count(message.after, 'time')} “{message.template}”"
                yield Support(evidence.id, Layer.LOGS, says)


def _next(reading: Reading) -> str:
    if reading.subject.startswith("cgroup "):
        path = f"/sys/fs/cgroup{reading.subject.removeprefix('cgroup ')}"
        return f"grep -s '' {shlex.quote(path)}/pids.*"
    if reading.subject.startswith("uid "):
        return f"ps -L -U {reading.subject.removeprefix('uid ')} -o pid,nlwp,comm --sort=-nlwp"
    return "ps -eo pid,nlwp,comm --sort=-nlwp"
