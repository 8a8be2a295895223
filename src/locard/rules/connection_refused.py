"""Connections are refused: nobody listens at the other end.

Pattern: calls fail at once; the process that should listen has ended, has not started yet, or listens
  elsewhere.
Evidence: messages of bad requests in the words of the network library; connects that the kernel saw refused.
Against: few of the bad requests say so.
Next: whether anything listens at that address, and since when.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.finding import Finding, Role, Severity
from locard.model.wording import count
from locard.rules import _kernel, _said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case

_MESSAGE = re.compile(
    r"connection refused|ECONNREFUSED|\bErrno 111\b|ConnectionRefusedError|actively refused"
    r"|connect\(\) failed \(111|no live upstreams|Connect call failed",
    re.IGNORECASE,
)

_LEAST = 2  # refusals by one peer: a first one may be a race with its start


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log whose bad requests say it; else one for the peers that refuse."""
    found = list(_from_logs(case))
    yield from found or _from_kernel(case)


def _from_kernel(case: Case) -> Iterator[Finding]:
    """Connects that the other end refused, by peer: timed ones, else those among all system calls."""
    timed = list(_from_connects(case))
    yield from timed or _from_calls(case)


def _from_calls(case: Case) -> Iterator[Finding]:
    for evidence, found in _kernel.calls(case):
        number = sum(
            e.count for e in found.errors if e.what == "connect" and e.result == "ECONNREFUSED"
        )
        every = sum(c.count for c in found.calls if c.what == "connect")
        if number < _LEAST:
            continue
        failing = [
            r for r in found.files if r.result == "connect" and r.errors and " -> " in r.what
        ]
        peers = list(dict.fromkeys(r.what.partition(" -> ")[2] for r in failing))
        whom = f" by {' and '.join(peers[:4])}" if peers else ""
        says = f"{number} of {count(every, 'connect call')} ended with ECONNREFUSED in {found.observed.seconds:.1f} s"
        yield _kernel.finding(
            "connection-refused",
            case,
            f"Connections are refused{whom}",
            [_kernel.support(evidence, says)],
            values=tuple(("peer", p) for p in peers[:5]),
            next_commands=_commands(peers[0]) if peers else (),
        )


def _from_connects(case: Case) -> Iterator[Finding]:
    for evidence, trace in _kernel.traces(case, "tcp-connect-latency"):
        refused = [r for r in trace.rows if r.result == "ECONNREFUSED" and r.count >= _LEAST]
        if not refused:
            continue
        names = " and ".join(r.what for r in refused[:4])
        says = ", ".join(f"{count(r.count, 'connect')} to {r.what}" for r in refused)
        yield _kernel.finding(
            "connection-refused",
            case,
            f"Connections are refused by {names}",
            [
                _kernel.support(
                    evidence, f"{says} ended with ECONNREFUSED in {trace.observed.seconds:.1f} s"
                )
            ],
            values=tuple(("peer", r.what) for r in refused[:5]),
            next_commands=_commands(refused[0].what),
        )


def _from_logs(case: Case) -> Iterator[Finding]:
    for said in _said.growing(case, _MESSAGE):
        address = _said.address_in(said.example)
        # Only an example: the messages are counted whatever their addresses.
        whom = f", for example by {address}" if address else ""
        yield Finding(
            rule="connection-refused",
            layer=said.support.layer,
            role=Role.MECHANISM,
            severity=Severity.CRITICAL,
            title=f"Connections are refused{whom}",
            detail=said.support.says,
            supports=(said.support,),
            explains=said.explains,
            next_commands=(*_commands(address), *said.commands),
        )


def _commands(address: str) -> tuple[str, ...]:
    """Whether anything listens: here by its sockets, elsewhere by asking."""
    host, _, port = address.rpartition(":")
    if not port:
        return ()
    here = host.startswith("127.") or host in {"localhost", "[::1]"}
    return (f"ss -ltnp sport = :{port}" if here else f"nc -vz -w 2 {host} {port}",)
