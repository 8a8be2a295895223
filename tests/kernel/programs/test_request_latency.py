"""Requests of a real server in parts: each part is made long in turn, and is the one that is told."""

from __future__ import annotations

import json

import pytest
from observing_support import observing, working

from locard.kernel.programs import request_latency

# One thread serves; a client of its own process asks N times over one connection, each after the answer.
SERVER = """
before_read, before_write, quick, family, host = *map(float, sys.argv[1:4]), *sys.argv[4:6]
server = socket.create_server((host, 0), family=getattr(socket, family)); where = server.getsockname()[:2]
held, holds = os.pipe()
def ask():
    s = socket.socket(getattr(socket, family)); s.connect(where)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(10):
        s.sendall(b"q" * 200)
        got = 0
        while got < 3000:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, int(quick))
            got += len(s.recv(65536))
        time.sleep(0 if quick else 0.1)
    s.close()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(holds)
        while os.read(held, 1): ask()
    os._exit(0)
os.wait(); os.close(held)
ready()
os.write(holds, b"x")
c, _ = server.accept(); c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(quick)); n = 0
while True:
    select.select([c], [], []); time.sleep(before_read)
    if not c.recv(65536): break
    time.sleep(before_write)
    c.sendall(b"a" * 1000); c.sendall(b"a" * 2000); n += 1
c.close(); os.close(holds)
tell(port=where[1], n=n)
"""


def parts(before_read, before_write, *, quick=1, family="AF_INET", host="127.0.0.1"):
    with working(SERVER, before_read, before_write, quick, family, host) as server:
        with observing(request_latency, server.pid) as seen:
            truth = json.loads(server.go())
        trace = seen.trace
    assert not trace.partial
    return truth, {r.result: r for r in trace.rows}, trace


def test_the_application_is_slow():
    truth, rows, trace = parts(0.0, 0.03)
    assert rows["whole"].what == f"127.0.0.1:{truth['port']}"
    assert {k: r.count for k, r in rows.items() if k != "network"} == {
        "whole": 10, "socket queue": 10, "application": 10,
    }  # fmt: skip
    assert rows["application"].min_s == pytest.approx(0.03, abs=0.01)
    assert rows["socket queue"].max_s < 0.01
    assert rows["network"].count in {9, 10}
    assert rows["network"].p50_s < 0.02
    assert "10 requests answered" in trace.says


def test_data_waits_in_the_socket():
    _, rows, _ = parts(0.03, 0.0, family="AF_INET6", host="::1")
    assert rows["socket queue"].what.startswith("[::1]:")
    assert rows["socket queue"].min_s == pytest.approx(0.03, abs=0.01)
    assert rows["application"].max_s < 0.01


def test_the_far_end_acknowledges_late():
    """Its kernel waits 40 ms for something to send along, and ours for that (Nagle)."""
    _, rows, _ = parts(0.0, 0.0, quick=0)
    assert 0.02 < rows["network"].p50_s < 0.1
    assert rows["application"].p50_s < 0.01
    assert rows["socket queue"].p50_s < 0.01


STUCK = """
server = socket.create_server(("127.0.0.1", 0))
s = socket.create_connection(server.getsockname()); c, _ = server.accept()
ready()
s.sendall(b"q"); c.recv(1)
t = socket.create_connection(server.getsockname()); d, _ = server.accept(); t.sendall(b"q")
tell(port=server.getsockname()[1]); time.sleep(60)
"""


def test_what_has_no_answer_yet():
    """On a connection that is older than the observation, and on one that nobody reads."""
    with working(STUCK) as server:
        with observing(request_latency, server.pid, for_s=1.5) as seen:
            port = json.loads(server.go())["port"]
        rows = {r.result: r for r in seen.trace.rows}
    assert rows["no answer yet"].count == 1
    assert rows["no answer yet"].what == f"127.0.0.1:{port}"
    assert 0.5 < rows["no answer yet"].max_s < 1.7
    assert rows["not taken yet"].count == 1
    assert "no answer to them was seen" in seen.trace.says


CLIENT = """
server = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    if os.fork() == 0:
        c, _ = server.accept()
        while c.recv(100): c.sendall(b"a")
    os._exit(0)
os.wait(); where = server.getsockname(); server.close()
s = socket.create_connection(where); ready()
for _ in range(5): s.sendall(b"q"); s.recv(1)
tell()
"""


def test_a_clients_own_requests_are_none():
    with working(CLIENT) as client:
        with observing(request_latency, client.pid) as seen:
            client.go()
        assert seen.trace.rows == ()
        assert seen.trace.says.startswith("no request arrived over TCP in ")
