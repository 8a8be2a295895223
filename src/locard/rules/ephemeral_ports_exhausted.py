"""No local port is left for a new connection: connect or bind fails with EADDRNOTAVAIL.

Pattern: connections to one peer are opened and closed faster than TIME_WAIT lets their ports go; from some
  moment on each new one fails at once, though peer and network are well.
Evidence: connect calls that fail with EADDRNOTAVAIL; how many there were that worked.
Against: an address that this host does not have gives the same error in bind.
Next: keep connections open (a pool, keep-alive); see ip_local_port_range and what is in TIME_WAIT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.wording import count
from locard.rules import _kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case, Finding

_LEAST = 3  # failures: one may be an address that is not here
_ERROR = "EADDRNOTAVAIL"


def judge(case: Case) -> Iterator[Finding]:
    """One finding for connects, by peer where that is known."""
    supports = []
    peers: dict[str, int] = {}
    for evidence, found in _kernel.calls(case):
        for row in found.errors:
            if row.what == "connect" and row.result == _ERROR and row.count >= _LEAST:
                every = sum(c.count for c in found.calls if c.what == "connect")
                says = f"{row.count} of {count(every, 'connect call')} fail with {_ERROR}"
                supports.append(_kernel.support(evidence, says))
    for evidence, trace in _kernel.traces(case, "tcp-connect-latency"):
        for row in trace.rows:
            if row.result == _ERROR and row.count >= _LEAST:
                peers[row.what] = peers.get(row.what, 0) + row.count
                says = f"{count(row.count, 'connect')} to {row.what} failed with {_ERROR}"
                supports.append(_kernel.support(evidence, says))
    if not supports:
        return
    whom = f" to {' and '.join(list(peers)[:3])}" if peers else ""
    yield _kernel.finding(
        "ephemeral-ports-exhausted",
        case,
        f"No local port is left for connections{whom}",
        supports,
        next_commands=(
            "cat /proc/sys/net/ipv4/ip_local_port_range",
            "ss -s",
            "ss -tan state time-wait",
        ),
    )
