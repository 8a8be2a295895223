"""What busy threads wait for: peers, locks, the disk, the CPU; and whether anything is wrong at all.

Where a stack was joined with what the kernel said of the same thread at the same moment, that is
used; where there are no stacks, the kernel's word alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import (
    EndpointCoverage,
    Peer,
    Peers,
    StackSamples,
    ThreadStates,
)
from locard.model.finding import Support
from locard.model.headline import share
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge as stands
from locard.model.stacks import application_frame, is_busy
from locard.model.waits import is_connecting, kernel_work
from locard.model.wording import count, verb
from locard.rules import _facts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import Frame, ThreadStack, ThreadState
    from locard.model.finding import Case

# States of a log that show harm without an onset. A log of errors alone is no such state: most error
# logs hold a few lines of a healthy service.
_BAD_STATES = {
    "bad-throughout": "requests fail from the first line of the log on",
    "slow-throughout": "requests are slow from the first line of the log on",
    "requests-stopped": "no request is logged any more",
    "volume-fell": "the traffic fell to a quarter or less",
    "silent": "the log fell silent",
}
LEAST = 4  # observations, below which nothing is said


@dataclass(frozen=True, slots=True)
class Seen:
    """One busy observation: of a stack (with the kernel's word if joined), or of the kernel alone."""

    evidence: str
    layer: Layer
    pid: int
    tid: int | None
    round: int
    stack: ThreadStack | None
    kernel: ThreadState | None


def busy(case: Case) -> list[Seen]:
    """Every observation of a busy thread; of the kernel alone where no stack was read."""
    found = [
        Seen(evidence.id, Layer.RUNTIME, s.pid, s.tid, s.round, s, s.kernel)
        for evidence, samples in case.facts(StackSamples)
        for s in samples.stacks
        if is_busy(s)
    ]
    read = {s.pid for _, samples in case.facts(StackSamples) for s in samples.stacks}
    found += [
        Seen(evidence.id, Layer.KERNEL, s.pid, s.tid, s.round, None, s)
        for evidence, states in case.facts(ThreadStates)
        for s in states.states
        if s.pid not in read and kernel_work(s) == "busy"
    ]
    return found


@dataclass(frozen=True, slots=True)
class PeerWait:
    """The peer that most busy threads wait for."""

    address: str
    peer: Peer | None
    count: int
    of: int
    connecting: int  # of `count`, those that wait for the connection itself
    evidence: str
    layer: Layer
    where: Frame | None

    @property
    def words(self) -> str:
        """The peer with all that is known of it."""
        return self.peer.words if self.peer else self.address

    @property
    def support(self) -> Support:
        """The sentence that a finding cites."""
        at = ""
        if self.where is not None:
            at = f", in {self.where.function} ({_facts.short(self.where.file)}:{self.where.line})"
        what = "the connection to" if self.connecting * 2 > self.count else "the answer of"
        says = (
            f"{self.count} of {self.of} observations of busy threads ({share(self.count, self.of)}) "
            f"wait for {what} {self.words}{at}"
        )
        return Support(self.evidence, self.layer, says)


def peer_waits(case: Case) -> PeerWait | None:
    """The peer that busy threads wait for most; None where too few were seen waiting for one."""
    seen = busy(case)
    waiting = [s for s in seen if s.kernel is not None and s.kernel.peer]
    if len(waiting) < LEAST:
        return None
    counts = Counter(s.kernel.peer for s in waiting if s.kernel)
    address, count = counts.most_common(1)[0]
    mine = [s for s in waiting if s.kernel and s.kernel.peer == address]
    # Stacks that could not be joined with the kernel's word tell nothing of what they wait for.
    of = sum(s.kernel is not None or (s.stack is not None and s.stack.active) for s in seen)
    frames = Counter(f for s in mine if s.stack and (f := application_frame(s.stack.frames)))
    return PeerWait(
        address or "",
        named(case, address or ""),
        count,
        of,
        sum(s.kernel is not None and is_connecting(s.kernel) for s in mine),
        mine[0].evidence,
        mine[0].layer,
        frames.most_common(1)[0][0] if frames else None,
    )


def named(case: Case, address: str) -> Peer | None:
    """Who is at an address."""
    return next((p for _, ps in case.facts(Peers) if (p := ps.named(address))), None)


def peers(case: Case) -> Iterator[tuple[str, Peer]]:
    """The far ends of the target's sockets, each with its evidence."""
    for evidence, fact in case.facts(Peers):
        for peer in fact.peers:
            yield evidence.id, peer


def trouble(case: Case) -> tuple[Support, ...]:
    """What says that the service is not well: without it, threads that wait are everyday work."""
    return (*_log_trouble(case), *_unanswered(case), *_queued(case))


def _log_trouble(case: Case) -> Iterator[Support]:
    for evidence, log in case.facts(LogSummary):
        state = stands(log)
        if log.changed and not state.over:
            says = f"{' and '.join(log.changed)} rose at the onset"
            yield Support(evidence.id, Layer.LOGS, says)
        elif state.kind in _BAD_STATES:
            yield Support(evidence.id, Layer.LOGS, _BAD_STATES[state.kind])


def _unanswered(case: Case) -> Iterator[Support]:
    for evidence, coverage in case.facts(EndpointCoverage):
        for one in coverage.unanswered:
            if one.how == "accepted":
                says = f"{one.url} accepted a connection and gave no answer in {one.after_s:.0f} s"
                yield Support(evidence.id, Layer.METRICS, says)


def _queued(case: Case) -> Iterator[Support]:
    for evidence, reading in _facts.bad(case, semconv.PROCESS_ACCEPT_QUEUE):
        wait = verb(reading.value, "waits", "wait")
        connections = count(int(reading.value), "connection")
        says = f"{connections} {wait} to be accepted ({reading.subject})"
        yield Support(evidence.id, Layer.HOST, says)
