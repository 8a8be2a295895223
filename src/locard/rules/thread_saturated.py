"""One thread of a process uses a whole CPU: what only it can do goes no faster, however many CPUs idle.

Pattern: a server does its work in one thread (Redis, Node.js, an event loop, nginx's worker); once
  that thread is never idle, requests queue in front of it.
Evidence: a process that uses one CPU; the same thread running at each look, and no other of it; a peer
  of the target that is in that state.
Against: the service shows no trouble: then it is only well used.
Next: what that thread does: the server's own slow log, or a profile.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import ThreadStates
from locard.model.finding import Finding, Role, Severity, Support
from locard.rules import _facts, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case

_WHOLE = (0.85, 1.25)  # CPUs of the process: one thread's worth
_LEAST_ROUNDS = 3
_LEAST_RUNNING = 0.8  # of the looks at that thread
_SLOW_LOGS = {"redis": "redis-cli -h {host} -p {port} slowlog get 10"}


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each process of the target, and for each peer on this machine."""
    trouble = _waits.trouble(case)
    for supports, name, command in (*_own(case), *_peers(case)):
        yield Finding(
            rule="thread-saturated",
            layer=supports[0].layer,
            role=Role.MECHANISM if trouble else Role.CONTEXT,
            severity=Severity.CRITICAL if trouble else Severity.WARNING,
            title=f"One thread of {name} uses a whole CPU: it can do no more at a time",
            detail="; ".join(s.says for s in (*supports, *trouble[:1])),
            supports=(*supports, *trouble[:1]),
            next_commands=(command,),
        )


def _own(case: Case) -> Iterator[tuple[list[Support], str, str]]:
    used = {r.subject: (e, r) for e, r in _facts.readings(case, semconv.PROCESS_CPU_UTILIZATION)}
    for evidence, states in case.facts(ThreadStates):
        threads: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        names: dict[int, str] = {}
        for s in states.states:
            threads[s.pid][s.tid].append(s.state)
            names[s.pid] = s.comm if s.pid == s.tid else names.get(s.pid, s.comm)
        for pid, mine in threads.items():
            reading = used.get(f"pid {pid}")
            if reading is None or not _WHOLE[0] <= reading[1].value <= _WHOLE[1]:
                continue
            running = [t for t, seen in mine.items() if _runs(seen)]
            others = Counter(s for t, seen in mine.items() if t not in running for s in seen)
            if len(running) != 1 or others["R"] > sum(others.values()) / 10:
                continue
            seen = mine[running[0]]
            supports = [
                Support(evidence.id, Layer.KERNEL, (
                    f"thread {running[0]} of {names[pid]} (pid {pid}) ran in "
                    f"{seen.count('R')} of {len(seen)} looks, its other {len(mine) - 1} hardly")),
                Support(reading[0].id, reading[0].layer, f"pid {pid} uses {reading[1].value:.2f} CPUs"),
            ]  # fmt: skip
            yield supports, f"{names[pid]} (pid {pid})", _command(names[pid], pid)


def _command(name: str, pid: int) -> str:
    slow = next((c for key, c in _SLOW_LOGS.items() if key in name.lower()), "")
    return slow.replace(" -h {host} -p {port}", "") or f"top -H -b -n 1 -p {pid}"


def _runs(seen: list[str]) -> bool:
    return len(seen) >= _LEAST_ROUNDS and seen.count("R") >= _LEAST_RUNNING * len(seen)


def _peers(case: Case) -> Iterator[tuple[list[Support], str, str]]:
    waits = _waits.peer_waits(case)
    for evidence, peer in _waits.peers(case):
        if peer.cpu is None or not _WHOLE[0] <= peer.cpu <= _WHOLE[1] or peer.own:
            continue
        says = f"{peer.words} uses {peer.cpu:.2f} CPUs"
        supports = [Support(evidence, Layer.KERNEL, says)]
        if waits is not None and waits.address == peer.address:
            supports.append(waits.support)
        else:
            continue
        host, _, port = peer.address.rpartition(":")
        slow = next((c for k, c in _SLOW_LOGS.items() if k in (peer.process or "").lower()), "")
        command = slow.format(host=host, port=port) or f"top -H -b -n 1 -p {peer.pid}"
        yield supports, peer.words, command
