"""Each connect of a real client, in order, with its thread."""

from __future__ import annotations

import json

from observing_support import observing, working

from locard.kernel.programs import tcp_connect

CLIENT = """
server = socket.create_server(("127.0.0.1", 0)); port = server.getsockname()[1]
def worker():
    open("/proc/thread-self/comm", "w").write("dialer")
    for _ in range(3):
        s = socket.create_connection(("127.0.0.1", port)); time.sleep(0.01)
    ended.wait()
ended = threading.Event()
ready()
one = socket.create_connection(("127.0.0.1", port)); near = one.getsockname()[1]
try: socket.create_connection(("127.0.0.1", 1))
except OSError: pass
thread = threading.Thread(target=worker); thread.start(); tid = thread.native_id
time.sleep(0.8); ended.set(); thread.join()
tell(port=port, near=near, tid=tid)
"""


def test_who_to_whom_and_when():
    with working(CLIENT) as client:
        with observing(tcp_connect, client.pid) as seen:
            truth = json.loads(client.go())
        trace = seen.trace
    peer = f"127.0.0.1:{truth['port']}"
    each = trace.threads
    assert [(r.what, r.result) for r in each] == [
        (peer, "ok"), ("127.0.0.1:1", "ECONNREFUSED"), (peer, "ok"), (peer, "ok"), (peer, "ok"),
    ]  # fmt: skip
    assert each[0].tid == client.pid
    assert f"from 127.0.0.1:{truth['near']}" in each[0].detail
    assert {(r.tid, r.thread) for r in each[2:]} == {(truth["tid"], "dialer")}
    assert "by 2 threads" in trace.says
    rows = {r.what: r for r in trace.rows}
    assert set(rows) == {peer, "127.0.0.1:1"}
    assert rows[peer].outcomes == (("ok", 4),)
    assert 0 < rows[peer].p50_s <= rows[peer].max_s
    assert rows["127.0.0.1:1"].outcomes == (("refused", 1),)
    assert rows["127.0.0.1:1"].p50_s is None  # latency is that of those that succeeded


def test_a_client_that_connects_to_nobody():
    with working("ready(); socket.socketpair(); tell()") as client:
        with observing(tcp_connect, client.pid) as seen:
            client.go()
        assert seen.trace.rows == ()
        assert seen.trace.says.startswith("no TCP connect in ")
