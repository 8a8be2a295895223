"""Far ends of real sockets: who listens there, what a well-known port is, what a server says."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from locard.kernel import _peers
from locard.kernel.probes import peers
from locard.model import ports
from locard.model.evidence import Output
from locard.model.target import Context, Process, Target
from support import needs_root, run_probe


def context(*pids):
    processes = tuple(Process(p, 1, 0, 0.0, 0, "python3", ("python3",)) for p in pids)
    return Context(Target("pid/1", "pid", "1", "here", processes), pause_s=0.2)


def peers_of(*pids):
    outputs, facts = run_probe(peers, context(*pids))
    assert len(facts) == 1, outputs
    return facts[0]


CALLER = """
import socket, sys, time
far = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(3)]
name = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); name.connect(("127.0.0.11", 53))
print("ready", flush=True); time.sleep(60)
"""
SERVER = """
import socket, time
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True)
kept = [s.accept()[0] for _ in range(3)]
for c in kept[:2]: c.close()
time.sleep(60)
"""


def test_a_far_end_here_is_named_with_its_process(start):
    server = start("-c", SERVER)
    caller = start("-c", CALLER, server.line.strip())
    found = peers_of(caller.pid).named(f"127.0.0.1:{server.line.strip()}")
    assert (found.pid, found.own, found.protocol) == (server.pid, False, "tcp")
    assert found.process.startswith("python")
    assert found.close_wait == 2
    assert found.established == 1
    assert found.words.endswith(f"pid {server.pid} here)")


def test_a_server_that_calls_itself_postgres_is_named_by_what_runs(start):
    lie = "import ctypes; ctypes.CDLL(None).prctl(15, b'postgres', 0, 0, 0)\n"
    server = start("-c", lie + SERVER)
    caller = start("-c", CALLER, server.line.strip())
    assert Path(f"/proc/{server.pid}/comm").read_text() == "postgres\n"
    found = peers_of(caller.pid).named(f"127.0.0.1:{server.line.strip()}")
    assert found.process.startswith("python")
    assert found.service is None


@pytest.mark.parametrize(
    ("comm", "exe", "name"),
    [
        ("postgres", "postgres", "postgres"),
        ("postgres", "python3.11", "python3.11"),
        ("redis-server", "redis-check-rdb", "redis-server"),
        ("mysqld", "mysqld-debug", "mysqld"),
        ("gunicorn", "python3.11", "gunicorn"),
        ("postgres", None, "postgres"),
        ("postgres", "", "postgres"),
    ],
)
def test_a_servers_name_needs_its_file(comm, exe, name):
    assert ports.program(comm, exe) == name


def test_titles_count_only_where_the_file_agrees():
    title = "postgres: u db 10.0.0.1(40001) SELECT waiting"
    assert peers._sessions([{"process": 1, "title": title, "exe": "postgres"}], {"40001"})
    assert not peers._sessions([{"process": 1, "title": title, "exe": "python3.11"}], {"40001"})


def test_dns_is_known_by_its_port(start):
    server = start("-c", SERVER)
    caller = start("-c", CALLER, server.line.strip())
    found = peers_of(caller.pid).named("127.0.0.11:53")
    assert (found.protocol, found.service) == ("udp", "DNS")


def test_a_client_is_no_peer(start):
    server = start("-c", SERVER)
    start("-c", CALLER, server.line.strip())
    assert peers_of(server.pid).peers == ()


@pytest.mark.parametrize(
    ("title", "does"),
    [
        ("postgres: u db 10.0.0.1(40001) SELECT waiting", "SELECT waiting"),
        ("postgres: main: u db 10.0.0.1(40001) idle in transaction", "idle in transaction"),
        ("postgres: u db [local] idle", "idle"),
        ("postgres: checkpointer ", None),
        ("/usr/bin/postgres -D /x", None),
    ],
)
def test_titles_of_sessions(title, does):
    found = peers._sessions([{"process": 1, "title": title}], {"40001"})
    assert [s.title for s in found] == ([does] if does else [])
    assert all(s.ours for s in found if "40001" in title)


@pytest.mark.parametrize(
    ("address", "protocol", "program", "name"),
    [
        ("10.0.0.1:5432", "tcp", None, "PostgreSQL"),
        ("10.0.0.1:40000", "tcp", "redis-server", "Redis"),
        ("10.0.0.1:6379", "tcp", "python3", None),
        ("10.0.0.1:53", "udp", "python3", "DNS"),
        ("10.0.0.1:443", "udp", None, None),
        ("10.0.0.1:40000", "tcp", None, None),
    ],
)
def test_services(address, protocol, program, name):
    assert ports.service(address, protocol, program) == name


def test_the_reader_runs_on_python_3_6():
    ast.parse(Path(_peers.__file__).read_text("utf-8"), feature_version=(3, 6))


@pytest.mark.skipif(sys.byteorder != "little", reason="recorded on a little-endian machine")
def test_a_wildcard_listener_serves_own_addresses_only():
    waiting = _peers.listeners([_peers.Row("tcp", "0.0.0.0:80", "0.0.0.0:0", "LISTEN", "11")])
    assert _peers.serving("127.0.0.1:80", "tcp", waiting) == "11"
    assert _peers.serving("10.9.9.9:80", "tcp", waiting) == ""


@needs_root
def test_sockets_that_may_not_be_listed_are_not_none(start):
    """As another user: that nothing was read is told from no connection at all."""
    program = start("idle_pool.py")
    assert not peers_of(program.pid).nothing
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-", str(program.pid)],
        input=Path(_peers.__file__).read_bytes(),
        capture_output=True,
        check=True,
        user=65534,
        cwd="/",
    )
    (fact,) = peers.read([Output(("python3", "-", str(program.pid)), done.stdout)])
    assert fact.nothing
    assert "CAP_SYS_PTRACE" in fact.problem


def test_it_needs_processes():
    assert peers.applies(context()) is not None
