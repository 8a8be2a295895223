"""Many small exchanges with one peer: the time goes into round trips, not into work.

Pattern: a query a row, a request an item: hundreds of small sends and receives a second to one peer, each
  of which waits for the one before.
Evidence: the transfers by peer: how many a second, how few bytes each, and their share of all.
Against: clients' connections, where the other side decides how often it asks; large transfers.
Next: see what is asked again and again: one query for many rows, a batch, a cache, a pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.headline import share
from locard.model.kernel_words import duration, size
from locard.rules import _kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding
    from locard.model.kernel_facts import Row

_SENDS = frozenset({"sendto", "sendmsg", "write", "writev", "sendmmsg"})
_RECEIVES = frozenset({"recvfrom", "recvmsg", "read", "readv", "recvmmsg"})
_LEAST_RATE = 200.0  # sends a second to one peer
_SMALL = 1024.0  # bytes a send on average
_LEAST_SHARE = 0.5  # of all sends


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the peer that most small sends go to."""
    for evidence, found in _kernel.calls(case):
        seconds = found.observed.seconds
        rows = [r for r in found.files if _kernel.kind(r) == "peer" and " -> " in r.what]
        peers: dict[str, list[Row]] = {}
        for row in rows:
            peers.setdefault(row.what.partition(" -> ")[2], []).append(row)
        sends = {p: sum(r.count for r in of if r.result in _SENDS) for p, of in peers.items()}
        every = sum(sends.values())
        peer = max(sends, key=lambda p: sends[p], default="")
        if not peer or sends[peer] < max(_LEAST_RATE * seconds, _LEAST_SHARE * every):
            continue
        sent = sum(r.bytes or 0 for r in peers[peer] if r.result in _SENDS)
        got = [r for r in peers[peer] if r.result in _RECEIVES]
        answers = sum(r.count for r in got)
        # What is only sent (logs, metrics) is a stream, not an exchange.
        if sent / sends[peer] >= _SMALL or answers < 0.5 * sends[peer]:
            continue
        waited = sum(r.total_s or 0.0 for r in got)
        rate = sends[peer] / seconds
        says = (
            f"{sends[peer]:,} sends of {size(sent / sends[peer])} on average to {peer} in"
            f" {seconds:.1f} s ({share(sends[peer], every)} of all sends), {answers:,} receives, in"
            f" which it spent {duration(waited)}"
        )
        yield _kernel.finding(
            "chatty-io",
            case,
            f"{rate:,.0f} small exchanges a second with {peer}",
            [_kernel.support(evidence, says)],
            values=(("peer", peer),),
            next_commands=(f"locard syscalls pid/{_kernel.pid_of(got)} --net --slow 1ms",),
        )
