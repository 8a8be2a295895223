"""What the TCP tables say of the target's own sockets: accept queues, far ends, ephemeral ports."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.host._files import Verdict, above
from locard.model import semconv
from locard.model.facts import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_STATE_NAMES = (
    "ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN "
    "CLOSING NEW_SYN_RECV"
)
STATES = _STATE_NAMES.split()
_MANY_CLOSE_WAIT = 20
_MANY_SYN_SENT = 3
_PORTS = (0.8, 0.95)
_LEAST_PORTS = 1000


@dataclass(frozen=True, slots=True)
class Socket:
    """One row of /proc/net/tcp. `queued` is the receive queue: of a listener, those not accepted."""

    inode: str
    state: str
    queued: int
    local: str  # in hexadecimal, as the kernel writes it
    far: str

    @property
    def port(self) -> int:
        """The local port."""
        return int(self.local.rpartition(":")[2], 16)


def rows(files: Mapping[str, Sequence[str]]) -> list[Socket]:
    """Every TCP socket of the tables, TIME_WAIT included (its inode is 0)."""
    found = []
    for path, lines in files.items():
        if not path.endswith(("/tcp", "/tcp6")):
            continue
        for line in lines[1:]:
            part = line.split()
            try:
                state = STATES[int(part[3], 16) - 1]
                queued = int(part[4].partition(":")[2], 16)
                found.append(Socket(part[9], state, queued, part[1], part[2]))
            except (IndexError, ValueError):
                continue
    return found


def by_inode(every: Sequence[Socket]) -> dict[str, Socket]:
    """Those that a process holds."""
    return {s.inode: s for s in every if s.inode != "0"}


def address(text: str) -> str:
    """`0100007F:1F90` as a little-endian kernel writes it -> `127.0.0.1:8080`."""
    host, _, port = text.partition(":")
    try:
        raw = b"".join(
            int(host[i : i + 8], 16).to_bytes(4, "little") for i in range(0, len(host), 8)
        )
        if len(raw) == 16 and raw[:12] == b"\0" * 10 + b"\xff\xff":  # noqa: PLR2004 - IPv4 in IPv6
            raw = raw[12:]
        if len(raw) == 4:  # noqa: PLR2004 - IPv4
            return f"{'.'.join(map(str, raw))}:{int(port, 16)}"
        groups = (raw[i : i + 2].hex().lstrip("0") or "0" for i in range(0, 16, 2))
        return f"[{':'.join(groups)}]:{int(port, 16)}"
    except ValueError:
        return text


def accept_queues(
    seen: Sequence[Mapping[str, Socket]],
    owners: Mapping[str, Sequence[str]],
    backlogs: Mapping[str, int],
    somaxconn: int | None,
) -> Iterator[Reading]:
    """Connections that wait to be accepted by each listening socket of the target."""
    for inode, now in seen[-1].items():
        if now.state != "LISTEN" or inode not in owners:
            continue
        then = seen[0].get(inode)
        before = then.queued if then and len(seen) > 1 else 0
        backlog = backlogs.get(inode)
        least = min(before, now.queued)
        # A queue of n holds n + 1; the kernel drops what comes beyond.
        full = backlog is not None and least > 0 and least >= backlog
        of = f"its backlog of {backlog}" if backlog is not None else "an unknown backlog"
        holders = ", ".join(sorted(owners[inode], key=int)[:4])
        yield Reading(
            semconv.PROCESS_ACCEPT_QUEUE,
            f"port {now.port}",
            now.queued,
            "{connection}",
            backlog if backlog is not None else somaxconn,
            "critical" if full else "warning" if least > 0 else "ok",
            f"connections that wait to be accepted, of {of}; {before} in the reading before; "
            f"listened on by pid {holders}",
            "target",
        )


def far_ends(
    seen: Sequence[Mapping[str, Socket]], owners: Mapping[str, Sequence[str]]
) -> Iterator[Reading]:
    """Connections in CLOSE_WAIT and SYN_SENT by far end; those of clients by the port they came to."""
    mine = {i: s for i, s in seen[-1].items() if i in owners}
    ports = {s.port for s in seen[-1].values() if s.state == "LISTEN"}
    groups: dict[str, Counter[str]] = {}
    holders: dict[str, Counter[str]] = {}
    for inode, one in mine.items():
        if one.state == "LISTEN":
            continue
        end = f"clients of port {one.port}" if one.port in ports else f"peer {address(one.far)}"
        then = seen[0].get(inode)
        stuck = len(seen) > 1 and then is not None and then.state == one.state
        state = one.state if one.state != "SYN_SENT" or stuck else "SYN_SENT, just begun"
        groups.setdefault(end, Counter())[state] += 1
        holders.setdefault(end, Counter()).update(owners[inode])
    for end, counts in groups.items():
        pid = holders[end].most_common(1)[0][0]
        detail = ", ".join(f"{n} {state}" for state, n in counts.most_common(4)) + f"; pid {pid}"
        leaks = counts["CLOSE_WAIT"] >= _MANY_CLOSE_WAIT
        leaks = leaks and counts["CLOSE_WAIT"] > counts["ESTABLISHED"]
        for name, state, bad in (
            (semconv.PROCESS_CLOSE_WAIT, "CLOSE_WAIT", leaks),
            (semconv.PROCESS_SYN_SENT, "SYN_SENT", counts["SYN_SENT"] >= _MANY_SYN_SENT),
        ):
            if counts[state]:
                verdict: Verdict = "warning" if bad else "ok"
                yield Reading(
                    name, end, counts[state], "{connection}", None, verdict, detail, "target"
                )


def ephemeral_ports(
    every: Sequence[Socket], low: int | None, high: int | None
) -> Iterator[Reading]:
    """Local ports in use to the one far end that takes most of the range, TIME_WAIT included."""
    if low is None or high is None or high <= low:
        return
    listening = {s.port for s in every if s.state == "LISTEN"}
    used = Counter(
        s.far for s in every if s.state != "LISTEN" and s.port not in listening and s.port >= low
    )
    if not used:
        return
    (far, count), *_ = used.most_common(1)
    share = count / (high - low + 1)
    verdict: Verdict = above(share, *_PORTS) if count >= _LEAST_PORTS else "ok"
    detail = f"{count} of {high - low + 1} local ports to {address(far)}, TIME_WAIT included"
    yield Reading(
        semconv.SYSTEM_EPHEMERAL_PORTS,
        "network namespace",
        round(share, 4),
        "1",
        1.0,
        verdict,
        detail,
        "target",
    )
