"""Connects of a real client in a network of its own: each result by peer, and what is none."""

from __future__ import annotations

import json

import pytest
from observing_support import in_new_network, observing, working

from locard.kernel.programs import tcp_connect_latency

CLIENT = """
import errno
def attempt(where, family=socket.AF_INET, patience=2.0, again=False):
    s = socket.socket(family); s.setblocking(False)
    began = time.monotonic()
    code = s.connect_ex(where)
    if code == errno.EINPROGRESS and again:
        select.select([], [s], [], patience); code = s.connect_ex(where)   # asks, begins nothing
    elif code == errno.EINPROGRESS:
        done = select.select([], [s], [], patience)[1]
        code = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if done else -1
    s.close()
    return round(time.monotonic() - began, 6)
four = socket.create_server(("127.0.0.1", 0)); six = socket.create_server(("::1", 0), family=socket.AF_INET6)
late = socket.create_server(("127.0.0.8", 0))
a, b, c = (s.getsockname()[1] for s in (four, six, late))
ready("ready")
took = {}
for _ in range(5):
    attempt(("127.0.0.1", a)); attempt(("::1", b), socket.AF_INET6)
for _ in range(3):
    attempt(("127.0.0.1", 1)); attempt(("::1", 1), socket.AF_INET6); attempt(("::ffff:127.0.0.1", 1), socket.AF_INET6)
    attempt(("127.0.0.1", 1), again=True)
    took["given up"] = attempt(("127.0.0.9", 5432), patience=0.2)
    attempt(("203.0.113.5", 80))
took["late"] = attempt(("127.0.0.8", c))
blocking = socket.socket()
try: blocking.connect(("127.0.0.1", 1))
except OSError: pass
short = socket.socket(); short.bind(("127.0.0.1", 0))
used = socket.create_connection(("127.0.0.1", a)); port = used.getsockname()[1]
bound = socket.socket(); bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); datagram.connect(("127.0.0.1", 1))
threading.Thread(target=lambda: socket.create_connection(("127.0.0.1", a))).start()
if os.fork() == 0:
    socket.create_connection(("127.0.0.1", a)); os._exit(0)
os.wait()
tell(good=f"127.0.0.1:{a}", six=f"[::1]:{b}", late=f"127.0.0.8:{c}", took=took)
"""
DROPS = (
    "iptables -A INPUT -p tcp -d 127.0.0.9 -j DROP",
    "iptables -A INPUT -p tcp --syn -d 127.0.0.8 -m statistic --mode nth --every 2 --packet 0 -j DROP",
)


def counts(trace):
    return {(r.what, r.result): r.count for r in trace.rows}


def test_each_result_is_told_by_peer():
    with working(CLIENT, prefix=in_new_network(*DROPS)) as client:
        with observing(tcp_connect_latency, client.pid) as seen:
            truth = json.loads(client.go())
        trace = seen.trace
    assert counts(trace) == {
        (truth["good"], "ok"): 8,
        (truth["six"], "ok"): 5,
        (truth["late"], "ok"): 1,
        ("127.0.0.1:1", "ECONNREFUSED"): 10,
        ("[::1]:1", "ECONNREFUSED"): 3,
        ("127.0.0.9:5432", "gave up"): 3,
        ("203.0.113.5:80", "ENETUNREACH"): 3,
    }
    rows = {r.what: r for r in trace.rows}
    assert rows["127.0.0.9:5432"].min_s == pytest.approx(0.2, abs=0.03)
    assert "no error of the kernel" in rows["127.0.0.9:5432"].detail
    assert rows[truth["late"]].max_s == pytest.approx(truth["took"]["late"], abs=0.02)
    assert "1 SYN sent again" in rows[truth["late"]].detail
    assert rows[truth["good"]].errors is None
    assert "19 without success" in trace.says
    assert not trace.partial


def test_one_port_alone():
    with working(CLIENT, prefix=in_new_network(*DROPS)) as client:
        with observing(tcp_connect_latency, client.pid, port=5432) as seen:
            client.go()
        assert counts(seen.trace) == {("127.0.0.9:5432", "gave up"): 3}


NEAR_MISS = """
server = socket.create_server(("127.0.0.1", 0)); port = server.getsockname()[1]
ready()
for n in range(40):
    listener = socket.create_server(("127.0.0.4", 0)); listener.close()      # LISTEN -> CLOSE
    s = socket.socket(); s.setblocking(False); s.connect_ex(("127.0.0.1", port)); select.select([], [s], [])
    far, _ = server.accept()
    if n % 5 == 0:                                                            # a reset, after it was established
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close(); s.close()
tell(port=port)
"""


def test_closed_listeners_and_later_resets_are_no_failures():
    with working(NEAR_MISS) as client:
        with observing(tcp_connect_latency, client.pid) as seen:
            port = json.loads(client.go())["port"]
        trace = seen.trace
    assert counts(trace) == {(f"127.0.0.1:{port}", "ok"): 40}
    assert "all ok" in trace.says


WAITING = """
ready()
s = socket.socket(); s.setblocking(False); s.connect_ex(("127.0.0.9", 5432))
tell(); time.sleep(60)
"""


def test_what_still_waits_has_no_answer_yet():
    with working(WAITING, prefix=in_new_network(DROPS[0])) as client:
        with observing(tcp_connect_latency, client.pid, for_s=1.5) as seen:
            client.go()
        (row,) = seen.trace.rows
    assert (row.what, row.result, row.count) == ("127.0.0.9:5432", "no answer yet", 1)
    assert 0.5 < row.max_s < 1.7


def test_nobody_elses_connects_and_no_word_of_health():
    with working("ready(); tell()") as idle:
        with observing(tcp_connect_latency, idle.pid) as seen, working(NEAR_MISS) as other:
            other.go()
            idle.go()
        assert seen.trace.rows == ()
        assert seen.trace.says.startswith("no TCP connect in ")
