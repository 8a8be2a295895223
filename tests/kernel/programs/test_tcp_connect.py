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
    assert [(r.what, r.result) for r in trace.rows] == [
        (peer, "ok"), ("127.0.0.1:1", "ECONNREFUSED"), (peer, "ok"), (peer, "ok"), (peer, "ok"),
    ]  # fmt: skip
    assert trace.rows[0].tid == client.pid
    assert f"from 127.0.0.1:{truth['near']}" in trace.rows[0].detail
    assert {(r.tid, r.thread) for r in trace.rows[2:]} == {(truth["tid"], "dialer")}
    assert "by 2 threads" in trace.says


def test_a_client_that_connects_to_nobody():
    with working("ready(); socket.socketpair(); tell()") as client:
        with observing(tcp_connect, client.pid) as seen:
            client.go()
        assert seen.trace.rows == ()
        assert seen.trace.says.startswith("no TCP connect in ")
