"""Segments to some peers are lost and sent again: each loss costs a round trip or a time-out.

Pattern: a bad link, a full queue or a policer on the way to some peers; their latency has a long tail,
  others are as fast as ever.
Evidence: retransmits of the target's own sockets by peer, against all segments sent there.
Against: loss probes, which come without loss; a receiver whose window is full: it is slow, not the network.
Next: the way to that peer: interface errors and drops on both sides, a capture at both ends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.headline import share
from locard.rules import _kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding
    from locard.model.kernel_facts import Row

_LEAST = 5  # segments that were sent again
_LEAST_SHARE = 0.01
_OF = re.compile(r"of ([\d,]+) segments")
_PROBES = re.compile(r"(\d+) as loss probe")


def judge(case: Case) -> Iterator[Finding]:
    """One finding for all peers to which segments are lost."""
    for evidence, trace in _kernel.traces(case, "tcp-retransmits"):
        lossy = [
            r for r in trace.rows if _lost(r) >= _LEAST and _lost(r) >= _LEAST_SHARE * _sent(r)
        ]
        if not lossy:
            continue
        lossy.sort(key=_lost, reverse=True)
        clean = [r.what for r in trace.rows if not _lost(r) and _sent(r) >= 100]  # noqa: PLR2004 - enough to tell
        says = ", ".join(f"{r.what}: {r.detail}" for r in lossy[:4])
        if clean:
            says += f"; none to {', '.join(clean[:3])}"
        names = " and ".join(r.what for r in lossy[:3])
        worst = f"{share(_lost(lossy[0]), _sent(lossy[0]))} to {lossy[0].what}"
        yield _kernel.finding(
            "tcp-retransmits",
            case,
            f"Segments are sent again to {names}"
            + (f" (up to {worst})" if _sent(lossy[0]) else ""),
            [_kernel.support(evidence, says)],
            values=tuple(("peer", r.what) for r in lossy[:5]),
            next_commands=tuple(f"ss -tin dst {_host(r.what)}" for r in lossy[:2]),
        )


def _lost(row: Row) -> int:
    probes = _PROBES.search(row.detail)
    return row.count - (int(probes[1]) if probes else 0)


def _sent(row: Row) -> int:
    found = _OF.search(row.detail)
    return int(found[1].replace(",", "")) if found else 0


def _host(peer: str) -> str:
    return peer.rpartition(":")[0] or peer
