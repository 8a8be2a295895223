"""Sockets: TCP states of the target, listen queues that overflow, retransmits.

Shows: how many TCP sockets of the target's processes are in which state, for each of its listening
  sockets the connections that wait to be accepted against the backlog, CLOSE_WAIT and SYN_SENT by
  far end, ephemeral ports to one far end, listen-queue overflows and retransmits between two
  readings, sockets of the host and of the target's network namespace.
How: reads /proc/net/sockstat and, in the target's network namespace, /proc/PID/net/{netstat,snmp,
  sockstat}, which socket inodes its processes hold (/proc/PID/fd) and /proc/PID/net/{tcp,tcp6};
  then again. Asks sock_diag for backlogs, as `ss -ltn` does.
Impact: reads. The TCP tables cost the kernel about 1 ms for each 1,000 connections.
Limits: counters of netstat and snmp are of the whole namespace, not of the target. Other users'
  processes need CAP_SYS_PTRACE. Backlogs of another network namespace than locard's are not known:
  net.core.somaxconn, their upper bound, is shown; the range of ephemeral ports is this host's. The
  readings are a second apart, since a client whose connection is dropped
  tries again after one. Verdicts: any overflow between them is critical (a client is being refused
  or delayed by seconds); connections waiting to be accepted in both readings warn, and as
  many as the backlog are critical; over 1 % of
  segments retransmitted warns, over 5 % is critical (throughput of TCP collapses between them), but
  fewer than 5 retransmits are chance whatever share they are; 50 or more in CLOSE_WAIT (20 with one far end), and more
  than established ones, warn: the peers hung up and the program does not close; 3 or more that are
  in SYN_SENT in both readings, each the same one, warn: a peer does not answer.
Source: proc(5), tcp(7), listen(2); Linux net/ipv4/proc.c for the counters.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template, Wait
from locard.host import _files, _socket_tables
from locard.model import semconv, thread_records
from locard.model.evidence import Output, Scope
from locard.model.facts import Reading, Readings
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_SOCKSTAT = "/proc/net/sockstat"
_SOMAXCONN = "/proc/sys/net/core/somaxconn"
_RANGE = "/proc/sys/net/ipv4/ip_local_port_range"
_MAX_PAUSE_S = 1.0
_MANY_CLOSE_WAIT = 50
_MANY_SYN_SENT = 3
_LEAST_RETRANSMITS = 5  # one or two come by chance, and are over 1 % of a quiet second

SYSTEM = Template(
    ("grep", "-s", "-H", "", _SOCKSTAT, _SOMAXCONN, _RANGE), Impact.READS, 3.0, output="counters"
)
BACKLOGS = Template(
    ("python3", "-I", "-S", "-"),
    Impact.READS,
    3.0,
    by_hand="ss -ltn",
    program="transport/_backlogs.py",
    output="json",
)
HELD = Template(
    ("find", "/proc/{pid:pid*}/fd", "-lname", "socket:*", "-printf", "%h %l\\n"),
    Impact.READS,
    5.0,
    by_hand="for p in {pid}; do ls -l /proc/$p/fd; done | grep socket",
    max_bytes=16 << 20,
    output="counters",
)
TABLES = Template(
    (
        "grep",
        "-s",
        "-H",
        "",
        "/proc/{pid:pid}/net/netstat",
        "/proc/{pid:pid}/net/snmp",
        "/proc/{pid:pid}/net/sockstat",
        "/proc/{pid:pid}/net/tcp",
        "/proc/{pid:pid}/net/tcp6",
    ),
    Impact.READS,
    5.0,
    max_bytes=32 << 20,
    output="counters",
)
COMMANDS = (SYSTEM, HELD, TABLES, BACKLOGS)

_HELD_LINE = re.compile(r"^/proc/(\d+)/fd socket:\[(\d+)\]$", re.MULTILINE)


def applies(context: Context) -> Skip | None:  # noqa: ARG001 - the host's own count is always there
    """Always."""
    return None


def scope(context: Context) -> Scope:
    """The target's processes, and the counters of their network namespace."""
    return Scope(pids=context.target.pids, note="counters are of the whole network namespace")


def plan(context: Context) -> Generator[Step, Output, None]:
    """The host's count; then the target's sockets and counters, twice."""
    yield SYSTEM.fill()
    if not context.target.pids:
        return
    pids = context.target.pids
    yield HELD.fill(pid=pids)
    yield BACKLOGS.fill()
    yield TABLES.fill(pid=str(pids[0]))
    yield Wait(min(context.pause_s, _MAX_PAUSE_S))
    yield TABLES.fill(pid=str(pids[0]))


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """Readings of the host, of the namespace and of each process that holds TCP sockets."""
    if not outputs:
        return ()
    system = _files.by_file(outputs[:1])
    readings = list(_system(system))
    tables = [
        _files.by_file([o])
        for o in outputs[1:]
        if o.program == "grep" and o.stdout and not o.truncated
    ]
    held = [o for o in outputs if o.program == "find"]
    asked = [r for o in outputs[1:] for r in thread_records.records(o.text) if "backlog" in r]
    backlogs = {str(r.get("inode")): r["backlog"] for r in asked if isinstance(r["backlog"], int)}
    if held:
        readings += _namespace(tables) if tables else ()
        readings += _counters(tables)
        readings += _processes(held[0], tables, backlogs, system)
    return (Readings(tuple(readings)),)


def _system(files: dict[str, list[str]]) -> Iterator[Reading]:
    text = "\n".join(files.get(_SOCKSTAT, []))
    found = re.search(r"^TCP: inuse (\d+) orphan (\d+) tw (\d+)", text, re.MULTILINE)
    name = semconv.SYSTEM_CONNECTIONS
    if found is None:
        yield Reading(name, "system", 0.0, "{connection}", None, "unknown")
        return
    detail = f"TCP in use; {found[3]} in TIME_WAIT, {count(int(found[2]), 'orphan')}"
    yield Reading(name, "system", int(found[1]), "{connection}", None, "ok", detail)


def _pairs(files: dict[str, list[str]], suffix: str) -> dict[str, int]:
    """The two-line tables of netstat and snmp: names, then values."""
    lines = next((v for p, v in files.items() if p.endswith(suffix)), [])
    found: dict[str, int] = {}
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        table = names.partition(":")[0]
        for name, value in zip(names.split()[1:], values.split()[1:], strict=False):
            if value.lstrip("-").isdigit():
                found[f"{table}.{name}"] = int(value)
    return found


def _grew(tables: list[dict[str, list[str]]], suffix: str, name: str) -> int | None:
    if len(tables) < 2:  # noqa: PLR2004 - then and now
        return None
    then, now = _pairs(tables[0], suffix).get(name), _pairs(tables[-1], suffix).get(name)
    return None if then is None or now is None else max(0, now - then)


def _namespace(tables: list[dict[str, list[str]]]) -> Iterator[Reading]:
    """The sockets of the target's network namespace, which may be its own."""
    lines = next((v for p, v in tables[-1].items() if p.endswith("/net/sockstat")), [])
    found = re.search(r"^TCP: inuse (\d+) orphan (\d+) tw (\d+)", "\n".join(lines), re.MULTILINE)
    if found is not None:
        detail = f"TCP in use; {found[3]} in TIME_WAIT, {count(int(found[2]), 'orphan')}"
        name, subject = semconv.SYSTEM_CONNECTIONS, "network namespace"
        yield Reading(name, subject, int(found[1]), "{connection}", None, "ok", detail, "target")


def _counters(tables: list[dict[str, list[str]]]) -> Iterator[Reading]:
    overflows = _grew(tables, "/netstat", "TcpExt.ListenOverflows")
    name, subject = semconv.SYSTEM_LISTEN_OVERFLOWS, "network namespace"
    if overflows is None:
        yield Reading(name, subject, 0.0, "{connection}", None, "unknown")
    else:
        verdict: _files.Verdict = "critical" if overflows else "ok"
        detail = "connections that found the accept queue full, between the readings"
        yield Reading(name, subject, overflows, "{connection}", None, verdict, detail)
    again, sent = _grew(tables, "/snmp", "Tcp.RetransSegs"), _grew(tables, "/snmp", "Tcp.OutSegs")
    name = semconv.SYSTEM_TCP_RETRANSMITS
    if again is None or sent is None:
        yield Reading(name, subject, 0.0, "1", None, "unknown")
    else:
        share = again / max(sent, 1)
        verdict = _files.above(share, 0.01, 0.05) if again >= _LEAST_RETRANSMITS else "ok"
        detail = f"{again:,} of {count(sent, 'segment')} between the readings"
        yield Reading(name, subject, round(share, 5), "1", None, verdict, detail)


def _processes(
    held: Output,
    tables: list[dict[str, list[str]]],
    backlogs: dict[str, int],
    system: dict[str, list[str]],
) -> Iterator[Reading]:
    owners: dict[str, list[str]] = {}
    for found in _HELD_LINE.finditer(held.text):
        owners.setdefault(found[2], []).append(found[1])
    every = [_socket_tables.rows(files) for files in tables]
    why = _why_unread(held)
    if why or not every:
        name = semconv.PROCESS_CONNECTIONS
        detail = why or "no table was read"
        yield Reading(name, "target", 0, "{connection}", None, "unknown", detail, "target")
    if not owners or not every:
        return
    for reading in _of_target(held, owners, every, backlogs, system):
        # What is bad in a part of them is bad; that a part is fine says nothing.
        if not why or reading.verdict in {"warning", "critical"}:
            yield reading


def _of_target(
    held: Output,
    owners: dict[str, list[str]],
    every: list[list[_socket_tables.Socket]],
    backlogs: dict[str, int],
    system: dict[str, list[str]],
) -> Iterator[Reading]:
    seen = [_socket_tables.by_inode(rows) for rows in every]
    counts = _by_pid(seen[-1], owners)
    # Only a socket that has not moved on between the readings waits for a peer that is silent.
    stuck = _by_pid(
        {i: s for i, s in seen[-1].items() if i in seen[0] and seen[0][i].state == s.state}, owners
    )
    for pid in dict.fromkeys(re.findall(r"/proc/(\d+)/fd", " ".join(held.argv))):
        if pid in counts:
            unanswered = stuck.get(pid, Counter())["SYN_SENT"] if len(seen) > 1 else 0
            yield _states(pid, counts[pid], unanswered)
    somaxconn = _files.whole("".join(system.get(_SOMAXCONN, [])))
    yield from _socket_tables.accept_queues(seen, owners, backlogs, somaxconn)
    yield from _socket_tables.far_ends(seen, owners)
    low, high = (
        [int(w) for w in " ".join(system.get(_RANGE, [])).split() if w.isdigit()] + [None, None]
    )[:2]
    yield from _socket_tables.ephemeral_ports(every[-1], low, high)


def _why_unread(held: Output) -> str:
    """Why the sockets were not all listed, if so: a program that fails is not a permission that lacks."""
    said = " ".join(held.stderr.decode("utf-8", "replace").split())
    why = _files.unfinished(held)
    if not why and held.exit_code and not held.stdout:
        if "ermission denied" in said or (held.exit_code == 1 and not said):
            return "its sockets may not be listed (CAP_SYS_PTRACE)"
        why = said[:120] or f"find ended with exit code {held.exit_code}"
    return f"its sockets were not all listed: {why}" if why else ""


def _by_pid(
    sockets: dict[str, _socket_tables.Socket], owners: dict[str, list[str]]
) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for inode, one in sockets.items():
        for pid in owners.get(inode, ()):
            found.setdefault(pid, Counter())[one.state] += 1
    return found


def _states(pid: str, now: Counter[str], unanswered: int) -> Reading:
    detail = ", ".join(f"{n} {state}" for state, n in now.most_common(6))
    close_wait = now["CLOSE_WAIT"]
    leaks = close_wait >= _MANY_CLOSE_WAIT and close_wait > now["ESTABLISHED"]
    return Reading(
        semconv.PROCESS_CONNECTIONS,
        f"pid {pid}",
        sum(now.values()),
        "{connection}",
        None,
        "warning" if leaks or unanswered >= _MANY_SYN_SENT else "ok",
        detail,
        "target",
    )


_TCP = """/proc/7/net/tcp:  sl  local_address rem_address   st tx_queue rx_queue
/proc/7/net/tcp:   0: 0100007F:1F90 00000000:0000 0A 00000000:00000005 00:0 0  0 0 11 1
/proc/7/net/tcp:   1: 0100007F:1F91 0100007F:2222 01 00000000:00000000 00:0 0  0 0 12 1
"""
_NETSTAT = """/proc/7/net/netstat:TcpExt: SyncookiesSent ListenOverflows
/proc/7/net/netstat:TcpExt: 0 4
/proc/7/net/snmp:Tcp: RtoAlgorithm OutSegs RetransSegs
/proc/7/net/snmp:Tcp: 1 1000 10
"""
_NETSTAT_LATER = _NETSTAT.replace("0 4", "0 9").replace("1000 10", "2000 110")
_TABLES = ("grep", "/proc/7/net/netstat", "/proc/7/net/snmp", "/proc/7/net/tcp")
_SYSTEM_TEXT = f"{_SOCKSTAT}:TCP: inuse 31 orphan 0 tw 9 alloc 40 mem 2\n{_SOMAXCONN}:4096\n"

SAMPLES = (
    Sample(
        (
            Output(("grep", _SOCKSTAT, _SOMAXCONN), _SYSTEM_TEXT.encode()),
            Output(("find", "/proc/7/fd"), b"/proc/7/fd socket:[11]\n/proc/7/fd socket:[12]\n"),
            Output(_TABLES, (_NETSTAT + _TCP).encode()),
            Output(_TABLES, (_NETSTAT_LATER + _TCP).encode()),
        ),
        (
            "value=31, unit='{connection}'",
            "value=5, unit='{connection}', limit=None, verdict='critical'",
            "100 of 1,000 segments",
            "1 LISTEN, 1 ESTABLISHED",
            "subject='port 8080', value=5, unit='{connection}', limit=4096, verdict='warning'",
        ),
    ),
    Sample((Output(("grep", _SOCKSTAT), b""),), ("verdict='unknown'",)),
)
