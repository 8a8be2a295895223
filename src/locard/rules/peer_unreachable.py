"""A peer does not answer the connection itself: it is gone, cut off, or drops packets.

Pattern: connections hang before the first byte; each attempt costs its time-out, where a refused one
  would fail at once. The peer's own work is not the matter.
Evidence: sockets of the target in SYN_SENT to one address; busy threads inside connect; messages that
  say that the connection, not the answer, timed out, or that there is no route.
Against: connections to the same address that are established.
Next: the route, the firewall and the listener of that address.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.kernel_words import duration
from locard.model.wording import count, verb
from locard.rules import _kernel, _said, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import Peer
    from locard.model.finding import Case

_MESSAGE = re.compile(
    r"connect(ion|ing)?( to \S+)? timed out|connect timeout|ConnectTimeout|connection timed out"
    r"|timed out\) while connecting|no route to host|network is unreachable|EHOSTUNREACH"
    r"|ENETUNREACH|host is unreachable|dial tcp [^:]+:\d+: i/o timeout|ETIMEDOUT",
    re.IGNORECASE,
)
_LEAST_SOCKETS = 2
_NO_ANSWER = frozenset({"ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "gave up"})


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the address that most connections hang to, or for messages; else by timed connects."""
    found = list(_from_sockets(case))
    yield from found or _from_kernel(case)


def _from_kernel(case: Case) -> Iterator[Finding]:
    """Connects that nobody answered, by peer: given up, timed out, or without a way there."""
    for evidence, trace in _kernel.traces(case, "tcp-connect-latency"):
        failed = [r for r in trace.rows if r.result in _NO_ANSWER and r.count >= _LEAST_SOCKETS]
        if not failed:
            continue
        failed.sort(key=lambda r: -r.count)
        names = " and ".join(dict.fromkeys(r.what for r in failed[:4]))
        says = ", ".join(
            f"{count(r.count, 'connect')} to {r.what}: {r.result}"
            + (f" after {duration(r.p50_s)}" if r.p50_s else "")
            for r in failed
        )
        yield _kernel.finding(
            "peer-unreachable",
            case,
            f"No answer to connections from {names}",
            [_kernel.support(evidence, f"{says}, in {trace.observed.seconds:.1f} s")],
            values=tuple(("peer", r.what) for r in failed[:5]),
            next_commands=(f"ip route get {failed[0].what.rpartition(':')[0].strip('[]')}",),
        )


def _from_sockets(case: Case) -> Iterator[Finding]:
    said = next(_said.growing(case, _MESSAGE), None)
    hanging = [(e, p) for e, p in _waits.peers(case) if p.connecting >= _LEAST_SOCKETS]
    hanging.sort(key=lambda item: -item[1].connecting)
    waits = _waits.peer_waits(case)
    trouble = _waits.trouble(case)
    supports: list[Support] = []
    against: list[Support] = []
    peer: Peer | None = None
    if hanging and (trouble or said):
        evidence, peer = hanging[0]
        wait = verb(peer.connecting, "waits", "wait")
        sockets = count(peer.connecting, "socket")
        says = f"{sockets} of the target {wait} for the connection to {peer.words}"
        supports.append(Support(evidence, Layer.KERNEL, f"{says} (SYN_SENT)"))
        if peer.established:
            are = verb(peer.established, "is", "are")
            says = f"{count(peer.established, 'connection')} to it {are} established"
            against.append(Support(evidence, Layer.KERNEL, says))
    if waits is not None and waits.connecting * 2 > waits.count and (trouble or said):
        supports.append(waits.support)
    if said is not None:
        supports.append(said.support)
    if not supports:
        return
    if said is None:
        supports += trouble[:1]
    who = peer.words if peer else waits.words if waits and waits.connecting else "a peer"
    address = peer.address if peer else waits.address if waits else ""
    host, _, port = address.rpartition(":")
    yield Finding(
        rule="peer-unreachable",
        layer=supports[0].layer,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL,
        title=f"Connections to {who} are not answered",
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        explains=said.explains if said else None,
        next_commands=(f"ss -tnp state syn-sent dst {host} dport = :{port}",)
        if address
        else (said.commands if said else ()),
    )
