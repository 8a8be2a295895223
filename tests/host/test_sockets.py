"""Sockets of real processes: connections that nobody accepts, far ends that hung up."""

from __future__ import annotations

import pytest

from locard.host import _socket_tables, sockets
from locard.model.evidence import Output
from locard.model.target import Context, Process, Target
from support import run_probe

CLOSE_WAIT = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
kept = []
for _ in range(60):
    client = socket.create_connection(listener.getsockname())
    kept.append(listener.accept()[0])
    client.close()
for one in kept:
    assert one.recv(1) == b""
print("ready", flush=True)
time.sleep(60)
"""


def context(*pids):
    processes = tuple(Process(p, 1, 0, 0.0, 0, "python3", ("python3",)) for p in pids)
    return Context(Target("pid/1", "pid", "1", "here", processes), pause_s=0.1)


def readings_of(*pids):
    _, (fact,) = run_probe(sockets, context(*pids))
    return fact.readings


def test_connections_that_wait_to_be_accepted(start):
    program = start("deaf_listener.py")
    (queue,) = [r for r in readings_of(program.pid) if r.name == "process.network.accept_queue"]
    assert queue.subject == f"port {program.line.strip()}"
    assert (queue.value, queue.verdict, queue.of) == (5, "warning", "target")
    assert queue.limit == 16, "the backlog that it asked for, not the upper bound of the host"
    assert f"listened on by pid {program.pid}" in queue.detail


FULL = """
import socket, time
s = socket.create_server(("127.0.0.1", 0), backlog=2)
kept = [socket.socket() for _ in range(8)]
for c in kept:
    c.setblocking(False); c.connect_ex(s.getsockname())
print(s.getsockname()[1], flush=True); time.sleep(60)
"""


def test_a_queue_that_is_full_is_critical(start):
    program = start("-c", FULL)
    (queue,) = [r for r in readings_of(program.pid) if r.name == "process.network.accept_queue"]
    assert (queue.limit, queue.verdict) == (2, "critical")


def test_connections_that_the_program_does_not_close(start):
    pid = start("-c", CLOSE_WAIT).pid
    (states,) = [r for r in readings_of(pid) if r.subject == f"pid {pid}"]
    assert states.verdict == "warning"
    assert "60 CLOSE_WAIT" in states.detail


LEAK = """
import socket, threading, time
s = socket.create_server(("127.0.0.1", 0), backlog=64)
def serve():
    while True: s.accept()[0].close()
threading.Thread(target=serve, daemon=True).start()
print(s.getsockname()[1], flush=True); time.sleep(60)
"""
LEAKER = """
import socket, sys, time
kept = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(30)]
for c in kept: assert c.recv(1) == b""
print("ready", flush=True); time.sleep(60)
"""


def test_the_peer_whose_connections_are_not_closed_is_named(start):
    port = start("-c", LEAK).line.strip()
    leaker = start("-c", LEAKER, port)
    (found,) = [r for r in readings_of(leaker.pid) if r.name == "process.network.close_wait.count"]
    assert found.subject == f"peer 127.0.0.1:{port}"
    assert (found.value, found.verdict) == (30, "warning")


def test_clients_that_hung_up_are_no_peer(start):
    pid = start("-c", CLOSE_WAIT).pid
    (found,) = [r for r in readings_of(pid) if r.name == "process.network.close_wait.count"]
    assert found.subject.startswith("clients of port ")


def test_ephemeral_ports_to_one_far_end():
    rows = [_socket_tables.Socket("0", "TIME_WAIT", 0, f"0100007F:{32768 + n:04X}", "0100007F:1F90")
            for n in range(1990)]  # fmt: skip
    (full,) = _socket_tables.ephemeral_ports(rows, 32768, 34767)
    assert full.verdict == "critical"
    assert "127.0.0.1:8080" in full.detail
    (room,) = _socket_tables.ephemeral_ports(rows, 32768, 60999)
    assert room.verdict == "ok"


def test_a_calm_process_is_fine(start):
    pid = start("slow_peer.py").pid
    found = {(r.name, r.subject): r for r in readings_of(pid)}
    assert found["process.network.connection.count", f"pid {pid}"].verdict == "ok"
    assert found["system.network.connection.count", "network namespace"].of == "target"
    for name in ("system.network.listen_overflows", "system.network.tcp.retransmits"):
        assert found[name, "network namespace"].verdict != "unknown"


def test_without_a_target_the_host_is_read():
    assert [r.subject for r in readings_of()] == ["system"]


def table(*connections, sent=0, again=0):
    """One reading of the tables: each connection is (inode, state)."""
    rows = "".join(
        f"/proc/7/net/tcp: 0: 0100007F:1F91 0100007F:2222 {state} 0:00000000 0:0 0 0 0 {inode} 1\n"
        for inode, state in connections
    )
    text = (
        f"/proc/7/net/snmp:Tcp: OutSegs RetransSegs\n/proc/7/net/snmp:Tcp: {sent} {again}\n"
        f"/proc/7/net/tcp:  sl  local_address\n{rows}"
    )
    return Output(("grep", "/proc/7/net/snmp", "/proc/7/net/tcp"), text.encode())


def judged(name, *tables):
    held = "".join(f"/proc/7/fd socket:[{inode}]\n" for inode in range(10, 20))
    found = Output(("find", "/proc/7/fd"), held.encode())
    (fact,) = sockets.read([Output(("grep", "/proc/net/sockstat"), b""), found, *tables])
    (reading,) = [r for r in fact.readings if r.name == name]
    return reading.verdict


def test_connections_that_a_peer_does_not_answer():
    name = "process.network.connection.count"
    three = table((11, "02"), (12, "02"), (13, "02"))
    others = table((14, "02"), (15, "02"), (16, "02"))
    assert judged(name, three, three) == "warning"
    assert judged(name, three, others) == "ok", "all were answered meanwhile, and new ones began"
    assert judged(name, three) == "ok", "one reading alone says nothing"


def test_a_few_retransmits_are_chance():
    name = "system.network.tcp.retransmits"
    assert judged(name, table(), table(sent=100, again=4)) == "ok"
    assert judged(name, table(), table(sent=100, again=6)) == "critical"
    assert judged(name, table(), table(sent=300, again=6)) == "warning"


@pytest.mark.parametrize(
    ("failed", "why"),
    [
        ({"stderr": b"find: '/proc/7/fd': Permission denied", "exit_code": 1}, "CAP_SYS_PTRACE"),
        ({"exit_code": 1}, "CAP_SYS_PTRACE"),
        ({"exit_code": -9}, "not all listed: find was ended by signal 9"),
        ({"exit_code": -9, "stdout": b"/proc/7/fd socket:[11]\n"}, "ended by signal 9"),
        ({"stderr": b"find: out of memory", "exit_code": 2}, "not all listed: find: out of memory"),
        ({"exit_code": None, "problem": "find is not installed"}, "find is not installed"),
        ({"exit_code": None, "timed_out": True}, "find did not end in time"),
    ],
)  # fmt: skip
def test_sockets_that_were_not_listed_say_why(failed, why):
    held = Output(("find", "/proc/7/fd"), **{"stdout": b"", **failed})
    (fact,) = sockets.read([Output(("grep", "/proc/net/sockstat"), b""), held, table((11, "01"))])
    (reading,) = [r for r in fact.readings if r.verdict == "unknown" and r.subject == "target"]
    assert why in reading.detail
    assert ("CAP_SYS_PTRACE" in reading.detail) == (why == "CAP_SYS_PTRACE")


def test_what_is_bad_in_a_part_of_the_sockets_is_told():
    """Of a target with very many sockets only a part may be listed: that it is fine is not said."""
    silent = table((11, "02"), (12, "02"), (13, "02"))
    calm = table((11, "01"), (12, "01"), (13, "01"))
    part = {
        "stdout": b"".join(b"/proc/7/fd socket:[%d]\n" % n for n in (11, 12, 13)),
        "truncated": True,
    }
    for tables, verdicts in ((silent, {"unknown", "warning"}), (calm, {"unknown"})):
        held = Output(("find", "/proc/7/fd"), **part)
        (fact,) = sockets.read([Output(("grep", "/proc/net/sockstat"), b""), held, tables, tables])
        own = [r for r in fact.readings if r.name == "process.network.connection.count"]
        assert {r.verdict for r in own} == verdicts
