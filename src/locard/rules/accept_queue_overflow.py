"""Connections wait to be accepted, up to the backlog of the target's listening socket.

Pattern: all workers are busy or the accepting thread is blocked; the kernel completes connections
  into the queue and, once that is full, drops the next ones: clients see seconds, then time-outs.
Evidence: the accept queue of the target's own listening socket in two readings against its backlog;
  overflows of the network namespace between them.
Against: the queue is short, and nothing overflowed.
Next: see the queue; what keeps the workers busy is the mechanism behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.wording import count, verb
from locard.rules import _facts, _kernel, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_LATE_S = 0.5  # until a connection is accepted, in the middle


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the longest queue, by readings; else by what the kernel dropped or kept waiting."""
    found = list(_from_readings(case))
    yield from found or _from_kernel(case)


def _from_kernel(case: Case) -> Iterator[Finding]:
    for evidence, trace in _kernel.traces(case, "accept-queue"):
        dropped = [r for r in trace.rows if r.result == "dropped" and r.count]
        late = [r for r in trace.rows if r.result == "accepted" and (r.p50_s or 0.0) >= _LATE_S]
        for row in dropped or late:
            about = [r for r in trace.rows if r.what == row.what]
            says = ", ".join(
                f"{r.count} {r.result}" + (f" ({r.detail})" if r.detail else "") for r in about
            )
            port = row.what.rpartition(":")[2]
            yield _kernel.finding(
                "accept-queue-overflow",
                case,
                f"The accept queue of port {port} overflows: {count(row.count, 'packet')} of connections dropped"
                if dropped
                else f"Connections to port {port} wait {row.p50_s:.1f} s to be accepted",
                [_kernel.support(evidence, says)],
                next_commands=(f"ss -ltnp sport = :{port}",),
            )


def _from_readings(case: Case) -> Iterator[Finding]:
    bad = _facts.bad(case, semconv.PROCESS_ACCEPT_QUEUE)
    if not bad:
        return
    bad.sort(key=lambda item: -item[1].value)
    worst = bad[0][1]
    full = worst.verdict == "critical"
    drops = _facts.bad(case, semconv.SYSTEM_LISTEN_OVERFLOWS) if full else []
    port = worst.subject.rpartition(" ")[2]
    of = f", with room for {worst.limit:.0f}" if worst.limit is not None else ""
    wait = verb(worst.value, "waits", "wait")
    connections = count(int(worst.value), "connection")
    yield _readings.finding(
        "accept-queue-overflow",
        f"The accept queue of port {port} is full: {connections} {wait}{of}"
        if full
        else f"{connections} to port {port} {wait} to be accepted",
        bad,
        mechanism=full,
        extra=_readings.supports(drops),
        next_commands=(f"ss -ltnp sport = :{port}",),
    )
