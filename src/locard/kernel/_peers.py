"""Reads who the far ends of some processes' sockets are.

This file travels like `_threads.py`: standard library only, Python 3.6 or later, nothing stays.
Arguments: pids of the target. It prints one JSON object per line:

    {"peer", "protocol", "states": {"ESTABLISHED": n}, "pids", "locals"}  sockets to a far end
    {"server": pid, "address", "name"}              the process here that listens at a far end
    {"process": pid, "of", "title", "state", "call", "on", "comm", "ticks", "at"}  what it does
    {"missed": "..."}  {"end": 1}
"""

import ipaddress
import json
import os
import struct
import sys
import time
from typing import NamedTuple

MAX_TABLE_BYTES = 8 << 20
MAX_PEERS = 64
MAX_SCAN_S = 1.5  # of looking for who listens
MAX_FAMILY = 200  # processes of one server that are read
LOOK_S = 0.3  # between two readings of the server's CPU time
MAX_TITLE = 200

_STATE_NAMES = (
    "ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN "
    "CLOSING NEW_SYN_RECV"
)
STATES = _STATE_NAMES.split()


class Row(NamedTuple):
    """One socket of a table."""

    protocol: str
    local: str
    far: str
    state: str
    inode: str


def slurp(path: str, limit: int = 65536) -> str:
    """The text of a /proc file up to a limit; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - no Path per file: thousands are read
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""


def link(path: str) -> str:
    """Where a link leads; empty where it cannot be read."""
    try:
        return os.readlink(path)  # noqa: PTH115 - as above
    except OSError:
        return ""


def names(path: str) -> "list[str]":
    """The names in a directory; none where it cannot be read."""
    try:
        return os.listdir(path)  # noqa: PTH208 - as above
    except OSError:
        return []


def address(text: str) -> str:
    """`0100007F:1F90` as the kernel prints it in hexadecimal -> `127.0.0.1:8080`."""
    host, _, port = text.partition(":")
    words = [int(host[i : i + 8], 16) for i in range(0, len(host), 8)]
    raw = struct.pack(f"={len(words)}I", *words)
    if len(words) == 1:
        return f"{ipaddress.IPv4Address(raw)}:{int(port, 16)}"
    long = ipaddress.IPv6Address(raw)
    return f"{long.ipv4_mapped or f'[{long}]'}:{int(port, 16)}"


def rows(pid: int) -> "list[Row]":
    """Every TCP and UDP socket of a process's network namespace."""
    found = []
    for proto in ("tcp", "tcp6", "udp", "udp6"):
        for line in slurp(f"/proc/{pid}/net/{proto}", MAX_TABLE_BYTES).splitlines()[1:]:
            part = line.split()
            try:
                state = STATES[int(part[3], 16) - 1]
                found.append(Row(proto[:3], address(part[1]), address(part[2]), state, part[9]))
            except (IndexError, ValueError):
                continue
    return found


def held(pid: int) -> "set[str]":
    """The inodes of the sockets that a process holds."""
    links = (link(f"/proc/{pid}/fd/{fd}") for fd in names(f"/proc/{pid}/fd"))
    return {to[8:-1] for to in links if to.startswith("socket:[")}


def port_of(text: str) -> str:
    """The port of `host:port`."""
    return text.rpartition(":")[2]


def emit(value: "dict[str, object]") -> None:
    """One JSON line; pure ASCII."""
    sys.stdout.write(json.dumps(value) + "\n")


def listeners(table: "list[Row]") -> "dict[str, list[Row]]":
    """Sockets that wait for connections or datagrams, by port."""
    found: dict[str, list[Row]] = {}
    for row in table:
        if row.state == "LISTEN" or (row.protocol == "udp" and row.far.endswith(":0")):
            found.setdefault(row.protocol + port_of(row.local), []).append(row)
    return found


def serving(far: str, proto: str, waiting: "dict[str, list[Row]]") -> str:
    """The inode of the socket here at which a far end arrives; empty where there is none."""
    host = far.rpartition(":")[0]
    fits = waiting.get(proto + port_of(far), [])
    for row in fits:
        if row.local.rpartition(":")[0] == host:
            return row.inode
    if not (host.startswith("127.") or host == "[::1]" or host in OWN):
        return ""
    for row in fits:
        if row.local.rpartition(":")[0] in ("0.0.0.0", "[::]"):  # noqa: S104 - compared, not bound
            return row.inode
    return ""


OWN: "set[str]" = set()  # addresses of this network namespace, as its sockets show them


def peers(table: "list[Row]", mine: "dict[str, list[int]]") -> "list[tuple[str, str, str]]":
    """Print the far ends of the processes' outgoing sockets; returns them with who serves."""
    waiting = listeners(table)
    for row in table:
        OWN.add(row.local.rpartition(":")[0])
    groups: dict[tuple[str, str], dict[str, object]] = {}
    for proto, local, far, state, inode in table:
        if inode not in mine or far.endswith(":0") or state == "LISTEN":
            continue
        if proto == "tcp" and "tcp" + port_of(local) in waiting:
            continue  # a client's connection
        group = groups.setdefault((far, proto), {"states": {}, "pids": set(), "locals": []})
        states, owners, ends = group["states"], group["pids"], group["locals"]
        states[state] = states.get(state, 0) + 1  # type: ignore[index,attr-defined]
        owners.update(mine[inode])  # type: ignore[attr-defined]
        ends.append(port_of(local))  # type: ignore[attr-defined]
    ranked = sorted(groups.items(), key=lambda g: -sum(g[1]["states"].values()))  # type: ignore[attr-defined]
    for (far, proto), group in ranked[:MAX_PEERS]:
        emit(
            {
                "peer": far,
                "protocol": proto,
                "states": group["states"],
                "pids": sorted(group["pids"]),  # type: ignore[call-overload]
                "locals": group["locals"],
            }
        )
    return [(far, proto, serving(far, proto, waiting)) for (far, proto), _ in ranked[:MAX_PEERS]]


def owners(inodes: "set[str]", network: str) -> "dict[str, int]":
    """Which process holds each listening socket: the oldest, which is the server's parent."""
    found: dict[str, int] = {}
    began = time.monotonic()
    for name in sorted((n for n in names("/proc") if n.isdigit()), key=int):
        if time.monotonic() - began > MAX_SCAN_S:
            emit({"missed": "not every process was asked for the sockets that it listens on"})
            break
        if link(f"/proc/{name}/ns/net") != network:
            continue
        for inode in held(int(name)) & inodes:
            found.setdefault(inode, int(name))
        if len(found) == len(inodes):
            break
    return found


def family(root: int) -> "list[int]":
    """A server's process and its descendants."""
    children: dict[int, list[int]] = {}
    for name in names("/proc"):
        if name.isdigit():
            parts = slurp(f"/proc/{name}/stat").rpartition(")")[2].split()
            if len(parts) > 1:
                children.setdefault(int(parts[1]), []).append(int(name))
    found, at = [root], 0
    while at < len(found) and len(found) < MAX_FAMILY:
        found.extend(sorted(children.get(found[at], [])))
        at += 1
    return found[:MAX_FAMILY]


def program(pid: int) -> str:
    """The name of the file that a process runs, which it cannot choose; empty where it is hidden."""
    return link(f"/proc/{pid}/exe").rpartition("/")[2].replace(" (deleted)", "")


def process(pid: int, of: int) -> None:
    """Print what a process of a server calls itself and what its first thread does."""
    stat = slurp(f"/proc/{pid}/stat")
    rest = stat.rpartition(")")[2].split()
    if len(rest) < 13:  # noqa: PLR2004 - up to the CPU times
        return
    call = slurp(f"/proc/{pid}/syscall").split()
    raw = slurp(f"/proc/{pid}/cmdline", 4096).rstrip("\0").replace("\0", " ")
    emit(
        {
            "process": pid,
            "of": of,
            "title": raw[:MAX_TITLE],
            "comm": stat.partition("(")[2].rpartition(")")[0],
            "exe": program(pid),
            "state": rest[0],
            "call": call[0] if call else "",
            "wchan": slurp(f"/proc/{pid}/wchan"),
            "ticks": int(rest[11]) + int(rest[12]),
            "at": time.time(),
        }
    )


def space(network: str, members: "list[int]") -> "set[int]":
    """Read one network namespace; returns the servers of it that the members are connected to."""
    mine: dict[str, list[int]] = {}
    for pid in members:
        if not names(f"/proc/{pid}/fd"):
            emit(
                {
                    "missed": f"pid {pid}: its sockets may not be listed (CAP_SYS_PTRACE), or it has ended"
                }
            )
        for inode in held(pid):
            mine.setdefault(inode, []).append(pid)
    OWN.clear()
    found = peers(rows(members[0]), mine)
    who = owners({inode for _, _, inode in found if inode}, network)
    for far, _, inode in found:
        if inode in who:
            name = slurp(f"/proc/{who[inode]}/comm").strip()
            pid = who[inode]
            emit({"server": pid, "address": far, "name": name, "exe": program(pid)})
    return set(who.values())


def main(argv: "list[str]") -> int:
    """Read the far ends of the processes' sockets, and who they are."""
    pids = [int(a) for a in argv]
    spaces: dict[str, list[int]] = {}
    for pid in pids:
        spaces.setdefault(link(f"/proc/{pid}/ns/net"), []).append(pid)
    servers = set(pids[:1])
    for network, members in spaces.items():
        servers |= space(network, members)
    trees = [(pid, family(pid)) for pid in sorted(servers)]
    for look in range(2):
        if look:
            time.sleep(LOOK_S)
        for root, members in trees:
            for pid in members:
                process(pid, root)
    emit({"end": 1, "ticks_per_s": os.sysconf("SC_CLK_TCK")})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
