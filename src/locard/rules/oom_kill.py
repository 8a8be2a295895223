"""The kernel killed processes because memory ran out.

Pattern: a worker vanishes and is restarted; its requests fail, caches are cold, others take over.
Evidence: kills in the kernel's log of the last hour, the count of the target's own cgroup; the state of a
  container that was ended at its limit (OOMKilled).
Against: kills outside the target's cgroups hit others, unless the host as a whole ran out.
Next: see the kernel's own report of who used what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.history_words import signal_words
from locard.model.moments import moment
from locard.rules import _facts, _history, _readings, _workload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_SOON_S = 120.0  # after a kill: the restart is its consequence


def judge(case: Case) -> Iterator[Finding]:
    """One finding for kills that hit the target, one for those of the host or of others; of containers one a cause."""
    yield from _history.joined(_elsewhere(case), _from_history(case))


def _elsewhere(case: Case) -> Iterator[Finding]:
    """What the other layers say of it."""
    for evidence, states, one in _workload.found(case, "oom"):
        yield _workload.finding("oom-kill", evidence, states, one)
    recent = _facts.bad(case, semconv.SYSTEM_OOM_KILLS)
    own = [(e, r) for e, r in recent if r.of == "target"]
    rest = [(e, r) for e, r in recent if r.of != "target"]
    counted = _facts.bad(case, semconv.CONTAINER_OOM_KILLS)
    units = _facts.bad(case, semconv.SYSTEM_UNIT_OOM_KILLS)
    mine = [(e, r) for e, r in units if r.of == "target"]
    if not recent:  # the kernel's own log was not read, or has forgotten it
        own, rest = mine, [pair for pair in units if pair not in mine]
    if own or counted:
        many = sum(r.value for _, r in own) if own else counted[0][1].value
        when = "in the last hour" if own else "since its cgroup was made"
        processes = "process" if many == 1 else "processes"
        yield _readings.finding(
            "oom-kill",
            f"The OOM killer ended {many:g} {processes} of the target {when}",
            (*own, *counted, *(pair for pair in mine if pair not in own)),
            mechanism=bool(own),
            next_commands=("dmesg -T --level=err,warn,info",),
        )
    if rest:
        count = sum(r.value for _, r in rest)
        ran_out = any(r.of == "host" for _, r in rest)
        whose = "the host ran out" if ran_out else "none of the target"
        # Where the host itself is looked at, nobody is another.
        title = (
            f"The OOM killer ended {count:g} processes of this host in the last hour"
            if case.target.startswith("host/")
            else f"The OOM killer ended {count:g} other processes in the last hour ({whose})"
        )
        yield _readings.finding(
            "oom-kill",
            title,
            rest,
            mechanism=False,
            next_commands=("dmesg -T --level=err,warn,info",),
        )


def _from_history(case: Case) -> Iterator[Finding]:
    """Kills that a counter of control groups or of the kernel counts in the window."""
    for evidence, found in _history.histories(case):
        for killed in _history.risen(found, "oom"):
            when = (
                f" between {moment(killed.onset.earliest)} and {moment(killed.onset.latest)}"
                if killed.onset
                else ""
            )
            supports = [f"{killed.metric} grew{when}"]
            supports += [
                signal_words(s)
                for s in _history.risen(found, "rss", "working set")
                if _history.same_thing(s.subject, killed.subject)
            ][:1]
            supports += [
                c.what
                for c in found.changes
                if c.kind == "restart"
                and abs(c.at - (killed.ended or killed.onset.latest if killed.onset else 0))
                < _SOON_S
            ][:1]
            yield _history.finding(
                "oom-kill", evidence, found, f"The OOM killer ended a process of {_history.name_of(killed)}{when}",
                supports, values=killed.subject,
            )  # fmt: skip
