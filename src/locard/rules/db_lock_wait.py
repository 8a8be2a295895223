"""Statements wait for a lock inside the database that another session holds.

Pattern: one transaction holds a lock (left open, or a migration), every statement that needs the same
  rows or table queues behind it; the database itself is idle, its clients all wait for answers.
Evidence: sessions of the database on this machine whose titles say that they wait, and sessions that
  are idle in a transaction; busy threads that wait for the database's answer; messages of lock
  time-outs, deadlocks and long lock waits.
Against: nobody is seen who could hold it.
Next: ask the database who blocks whom.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.evidence import Layer
from locard.model.facts import Peers
from locard.model.finding import Finding, Role, Severity, Support
from locard.rules import _facts, _said, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.model.facts import Peer, ServerSession
    from locard.model.finding import Case

_MESSAGE = re.compile(
    r"lock wait timeout exceeded|canceling statement due to lock timeout|deadlock (detected|found)"
    r"|still waiting for \w+ ?Lock|could not obtain lock|database is locked|LockNotAvailable"
    r"|ORA-00060|ORA-30006|lock request time ?out period exceeded|WriteConflict",
    re.IGNORECASE,
)
_WAITING = re.compile(r"\bwaiting$")
_HELD = re.compile(r"^idle in transaction")
# A title that ends in "waiting" is PostgreSQL's word for a wait for a lock.
_WHO_BLOCKS = (
    '"select pid, pg_blocking_pids(pid) as blocked_by, state, now() - xact_start as since, query '
    "from pg_stat_activity where state <> 'idle' order by xact_start\""
)


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the database whose sessions wait, or for messages that say it."""
    said = next(_said.growing(case, _MESSAGE), None)
    for evidence, peers in case.facts(Peers):
        for peer in peers.peers:
            waiting = _count(peer.sessions, _WAITING, ours=True)
            if waiting:
                found = [_sessions(evidence.id, peer.sessions, peer.words)]
                yield _finding(case, found, peer, said)
                return
        if _count(peers.sessions, _WAITING, ours=False):
            yield _finding(case, [_sessions(evidence.id, peers.sessions, "it")], None, said)
            return
    if said is not None:
        yield _finding(case, [], None, said)


def _count(sessions: Sequence[ServerSession], pattern: re.Pattern[str], *, ours: bool) -> int:
    return sum(s.count for s in sessions if pattern.search(s.title) and (s.ours or not ours))


def _sessions(evidence: str, sessions: Sequence[ServerSession], where: str) -> Support:
    waiting = [s for s in sessions if _WAITING.search(s.title)]
    held = [s for s in sessions if _HELD.search(s.title)]
    parts = [f"{s.count} “{s.title}”" for s in (*waiting, *held)]
    return Support(
        evidence, Layer.KERNEL, f"sessions of {where}, by their titles: {', '.join(parts)}"
    )


def _finding(
    case: Case, supports: list[Support], peer: Peer | None, said: _said.Saying | None
) -> Finding:
    against = []
    waits = _waits.peer_waits(case)
    if peer is not None and waits is not None and waits.address == peer.address:
        supports.append(waits.support)
    supports += list(_waits.trouble(case)[:1])
    if said is not None:
        supports.append(said.support)
    if supports and "idle in transaction" not in supports[0].says and said is None:
        says = "no session was seen idle in a transaction: who holds the lock is not known"
        against.append(Support(supports[0].evidence, supports[0].layer, says))
    what = f" of {peer.words}" if peer else ""
    return Finding(
        rule="db-lock-wait",
        layer=supports[0].layer,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL,
        title=f"Statements wait for a lock inside the database{what}",
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        explains=said.explains if said else None,
        next_commands=_commands(case, peer, said),
    )


def _commands(case: Case, peer: Peer | None, said: _said.Saying | None) -> tuple[str, ...]:
    if peer is not None:
        host, _, port = peer.address.rpartition(":")
        return (f"psql -h {host.strip('[]')} -p {port} -c {_WHO_BLOCKS}",)
    if said is not None:
        return said.commands
    own = [r.subject for _, r in _facts.readings(case, semconv.PROCESS_ACCEPT_QUEUE)]
    port = next((s.removeprefix("port ") for s in own if s.startswith("port ")), "")
    return (f"psql{f' -h 127.0.0.1 -p {port}' if port else ''} -c {_WHO_BLOCKS}",)
