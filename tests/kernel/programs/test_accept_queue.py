"""Listening sockets of a real server: what waited, how long, what was thrown away."""

from __future__ import annotations

import json

import pytest
from observing_support import in_new_network, observing, working

from locard.kernel.programs import accept_queue

SLOW = """
old = socket.create_server(("127.0.0.1", 0), backlog=64); where = old.getsockname()
ready()
new = socket.create_server(("::1", 0), family=socket.AF_INET6); there = new.getsockname()
held = []
for _ in range(10):
    held.append(socket.create_connection(where)); began = time.monotonic()
    time.sleep(0.03)
    held.append(old.accept()[0]); longest = time.monotonic() - began
for _ in range(6): held.append(socket.create_connection(there[:2]))
for _ in range(6): held.append(new.accept()[0])
left = socket.create_connection(where)                    # resets before anybody accepts
left.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); left.close()
tell(old=where[1], new=there[1], longest=longest)
"""


def by(trace):
    return {(r.what, r.result): r for r in trace.rows}


def test_the_time_from_established_to_accept():
    with working(SLOW) as server:
        with observing(accept_queue, server.pid) as seen:
            truth = json.loads(server.go())
        rows = by(seen.trace)
    old = rows[f"127.0.0.1:{truth['old']}", "accepted"]
    assert old.count == 10
    assert old.min_s == pytest.approx(0.03, abs=0.01)
    assert old.p50_s == pytest.approx(0.03, abs=0.01)
    assert "queue at most 1 of 65" in old.detail
    new = rows[f"[::1]:{truth['new']}", "accepted"]
    assert new.count == 6
    assert "queue at most 6 of" in new.detail
    assert new.max_s < 0.03
    assert rows[f"127.0.0.1:{truth['old']}", "closed before accept"].count == 1
    assert not any(r.result == "dropped" for r in seen.trace.rows)
    assert not seen.trace.partial


FULL = """
def counter():
    rows = [l.split() for l in open("/proc/net/netstat") if l.startswith("TcpExt:")]
    return int(dict(zip(*rows))["ListenDrops"])
server = socket.create_server(("127.0.0.1", 0), backlog=3)
ready(); before = counter()
held = []
for _ in range(9):
    s = socket.socket(); s.setblocking(False); s.connect_ex(server.getsockname()); held.append(s)
time.sleep(0.7)
tell(port=server.getsockname()[1], drops=counter() - before); time.sleep(60)
"""


def test_a_full_queue_and_what_it_throws_away():
    with working(FULL, prefix=in_new_network()) as server:
        with observing(accept_queue, server.pid, for_s=3.0) as seen:
            truth = json.loads(server.go())
        rows = by(seen.trace)
    where = f"127.0.0.1:{truth['port']}"
    assert rows[where, "accepted"].count == 0
    assert "queue at most 4 of 4, full in" in rows[where, "accepted"].detail
    assert rows[where, "still waiting"].count == 4
    assert 2.0 < rows[where, "still waiting"].max_s < 3.2
    assert rows[where, "dropped"].count >= truth["drops"] >= 5
    assert "overflows of accept queues" in seen.trace.says
    dropped = rows[where, "dropped"]
    assert dropped.detail.startswith("packets of connections: ")
    assert (
        f"{dropped.count:,} packets of connections dropped (SYNs and last ACKs" in seen.trace.says
    )


def test_workers_that_share_a_socket_accept_for_it():
    shared = """
server = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    for _ in range(8): server.accept()
    os._exit(0)
ready()
held = [socket.create_connection(server.getsockname()) for _ in range(8)]
os.wait(); tell(port=server.getsockname()[1])
"""
    with working(shared) as server:
        with observing(accept_queue, server.pid) as seen:
            port = json.loads(server.go())["port"]
        rows = by(seen.trace)
    assert set(rows) == {(f"127.0.0.1:{port}", "accepted")}
    assert rows[f"127.0.0.1:{port}", "accepted"].count == 8


def test_a_client_listens_on_nothing():
    with working("ready(); tell()") as client:
        with observing(accept_queue, client.pid) as seen:
            client.go()
        assert seen.trace.rows == ()
        assert "listens on no TCP socket" in seen.trace.says


UNIX = """
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1] + "/app sock"); server.listen(4)
far = socket.socket(socket.AF_UNIX); far.connect(sys.argv[1] + "/app sock")
ready(); tell(); time.sleep(60)
"""


def test_a_unix_socket_that_it_listens_on_is_told_as_not_seen(tmp_path):
    with working(UNIX, tmp_path) as server:
        with observing(accept_queue, server.pid, for_s=0.5) as seen:
            server.go()
    assert "but on 1 unix socket, which this does not follow" in seen.trace.says
    (blind,) = seen.trace.observed.blind
    assert f"{tmp_path}/app sock" in blind
