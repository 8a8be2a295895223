"""Segments that are sent again, in a network of its own that loses some: the sockets' own counters are the truth."""

from __future__ import annotations

import json

import pytest
from observing_support import in_new_network, observing, working

from locard.kernel.programs import tcp_retransmits

NETWORK = (
    "ip -6 addr add fd00::2/128 dev lo nodad",
    "ip link set lo mtu 1500 gso_max_segs 1",
    "ip6tables -A INPUT -p tcp --dport 7001 -m statistic --mode nth --every 10 --packet 4 -j DROP",
    "iptables -A INPUT -p tcp --dport 7002 -m statistic --mode nth --every 12 --packet 4 -j DROP",
    "iptables -A INPUT -p tcp --dport 7004 --syn -m statistic --mode nth --every 2 --packet 0 -j DROP",
    # What a server that listens on 7005 sends to its clients.
    "iptables -A INPUT -p tcp --sport 7005 -m statistic --mode nth --every 10 --packet 4 -j DROP",
)
# An orphan reads at the far end, and is not the target's; the target sends and waits for each block.
WORK = """
def again(s): return struct.unpack_from("I", s.getsockopt(socket.IPPROTO_TCP, 11, 192), 100)[0]
def reader(listener):
    while True:
        c, _ = listener.accept()
        threading.Thread(target=serve, args=(c,), daemon=True).start()
def serve(c):
    left = 0
    while True:
        got = c.recv(65536)
        if not got: return
        left += len(got)
        while left >= 20000: left -= 20000; c.sendall(b"k")
plan = [("fd00::2", 7001), ("127.0.0.1", 7002), ("127.0.0.1", 7003), ("127.0.0.1", 7004)]
listeners = [socket.create_server((h, p), family=socket.AF_INET6 if ":" in h else socket.AF_INET) for h, p in plan]
held, holds = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:   # an orphan: no child of the target
        os.close(holds)
        for s in listeners: threading.Thread(target=reader, args=(s,), daemon=True).start()
        os.read(held, 1)
    os._exit(0)
os.wait()
for s in listeners: s.close()
def dial(host, port):
    s = socket.socket(socket.AF_INET6); s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.connect((host, port)); return s
def send(s):
    s.sendall(b"x" * 20000); s.recv(1)
# One connection is older than the observation, one is v4 through a v6 socket.
old = dial("fd00::2", 7001); send(old); before = again(old)
"""
CLIENT = (
    WORK
    + """
ready()
others = [dial("::ffff:127.0.0.1", p) for p in (7002, 7003, 7004)]
for _ in range(20):
    for s in (old, *others): send(s)
truth = {"six": again(old) - before, "four": again(others[0]), "clean": again(others[1]), "late": again(others[2])}
closing = sys.argv[1] == "close"
for s in (old, *others) if closing else (): s.close()
tell(**truth)
if not closing: time.sleep(60)
"""
)


@pytest.mark.parametrize("end", ["close", "stay"])
def test_by_peer_as_the_sockets_count(end):
    """Whether the connections end before the observation does or not."""
    with working(CLIENT, end, prefix=in_new_network(*NETWORK)) as client:
        for_s = 60.0 if end == "close" else 12.0
        with observing(tcp_retransmits, client.pid, for_s=for_s) as seen:
            truth = json.loads(client.go())
        trace = seen.trace
    rows = {r.what: r for r in trace.rows}
    assert truth["six"] > 10
    assert truth["four"] > 10
    assert rows["[fd00::2]:7001"].count == truth["six"]
    assert rows["127.0.0.1:7002"].count == truth["four"]
    assert rows["127.0.0.1:7003"].count == truth["clean"] <= 1  # a loss probe
    assert rows["127.0.0.1:7004"].count == truth["late"] == 1  # its SYN
    assert set(rows) == {"[fd00::2]:7001", "127.0.0.1:7002", "127.0.0.1:7003", "127.0.0.1:7004"}
    again, segments = tcp_retransmits.rate(rows["[fd00::2]:7001"])
    assert again == truth["six"]
    assert 20 * 20000 / 1500 < segments < 20 * 20000 / 1000
    assert rows["127.0.0.1:7003"].bytes == 20 * 20000
    assert not trace.partial


SERVER = """
def again(s): return struct.unpack_from("I", s.getsockopt(socket.IPPROTO_TCP, 11, 192), 100)[0]
old = socket.create_server(("127.0.0.1", 7005))
ready()
if os.fork() == 0:
    for _ in range(3):
        s = socket.create_connection(("127.0.0.1", 7005)); got = 0
        while got < 200000: got += len(s.recv(65536))
        s.close()
    os._exit(0)
total = 0
for _ in range(3):
    c, _ = old.accept(); c.sendall(b"x" * 200000)
    while c.recv(1): pass
    total += again(c); c.close()
tell(total=total)
"""


def test_a_servers_answers_by_the_clients_host():
    with working(SERVER, prefix=in_new_network(*NETWORK)) as server:
        with observing(tcp_retransmits, server.pid) as seen:
            truth = json.loads(server.go())
        rows = {r.what: r for r in seen.trace.rows}
    assert truth["total"] > 10
    assert rows["127.0.0.1 to port 7005"].count == truth["total"]
    assert not any("port 0" in what for what in rows)


SLOW = """
far = socket.create_server(("127.0.0.1", 0)); where = far.getsockname()
if os.fork() == 0:
    c, _ = far.accept(); parent = os.getppid()
    while os.getppid() == parent: time.sleep(0.05)
    os._exit(0)
far.close()
s = socket.create_connection(where); ready()
s.setblocking(False); until = time.monotonic() + 1.5
while time.monotonic() < until:
    try: s.send(b"x" * 4096)
    except BlockingIOError: time.sleep(0.01)
tell(port=where[1]); time.sleep(60)
"""


def test_a_slow_receiver_is_no_loss():
    with working(SLOW, prefix=in_new_network()) as client:
        with observing(tcp_retransmits, client.pid, for_s=2.5) as seen:
            port = json.loads(client.go())["port"]
        (row,) = seen.trace.rows
    assert row.what == f"127.0.0.1:{port}"
    assert row.count <= 2  # loss probes
    assert row.count == 0 or "all of them only to find out" in seen.trace.says
    assert "the receiver's window was full" in row.detail
    assert "the receiver's window was full" in seen.trace.says


def test_no_word_where_nothing_was_sent():
    with working("ready(); tell()") as idle:
        with observing(tcp_retransmits, idle.pid) as seen:
            idle.go()
        assert seen.trace.rows == ()
        assert seen.trace.says.startswith("no segment with data was sent in ")
