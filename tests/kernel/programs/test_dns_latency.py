"""DNS of a real client against a server of the test's own, which counts what it was asked."""

from __future__ import annotations

import json

import pytest
from observing_support import in_new_network, observing, working

from locard.kernel.programs import _lookups, dns_latency
from locard.kernel.programs._lookups import Question

# Answers *.yes with one A and no AAAA, *.mute not at all, everything else with NXDOMAIN, names in "slow" late.
SERVER = """
import collections, tempfile
counts = collections.Counter()
def answer(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode()); at += 1 + query[at]
    name, (kind,) = ".".join(labels), struct.unpack(">H", query[at + 1 : at + 3])
    counts[f"{name} {dict([(1, 'A'), (28, 'AAAA')]).get(kind, kind)}"] += 1
    if name.endswith(".mute"): return None
    known = name.endswith(".yes")
    if "slow" in labels: time.sleep(0.1)
    data = struct.pack(">HHHIH4s", 0xC00C, 1, 1, 1, 4, b"\\x7f\\0\\0\\x07") if known and kind == 1 else b""
    head = query[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, 1 if data else 0, 0, 0)
    return head + query[12 : at + 5] + data
def datagrams(s):
    while True:
        query, peer = s.recvfrom(512)
        found = answer(query)
        if found: s.sendto(found, peer)
def stream(listener):
    while True:
        c, _ = listener.accept()
        while True:
            size = c.recv(2, socket.MSG_WAITALL)
            if len(size) < 2: break
            found = answer(c.recv(struct.unpack(">H", size)[0], socket.MSG_WAITALL))
            c.sendall(struct.pack(">H", len(found)) + found)
def serve():
    for family, host in ((socket.AF_INET, "127.0.0.53"), (socket.AF_INET6, "::1")):
        s = socket.socket(family, socket.SOCK_DGRAM); s.bind((host, 53))
        threading.Thread(target=datagrams, args=(s,), daemon=True).start()
        listener = socket.create_server((host, 53), family=family)
        threading.Thread(target=stream, args=(listener,), daemon=True).start()
# The server is an orphan, no child of the target; it tells its counts when it is asked.
ask, told = socket.socketpair()
if os.fork() == 0:
    if os.fork() == 0:
        ask.close(); serve(); told.sendall(b"up")
        if told.recv(1): told.sendall(json.dumps(counts).encode())
    os._exit(0)
told.close(); os.wait(); ask.recv(2)
def asked():
    ask.sendall(b"x"); return json.loads(ask.recv(65536))
def query(number, name, kind=1):
    wire = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\\0"
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + wire + struct.pack(">HH", kind, 1)
"""
GETADDRINFO = (
    SERVER
    + """
name, times = sys.argv[1], int(sys.argv[2])
socket.gethostbyname("localhost")
ready()
took = []
for _ in range(times):
    began = time.monotonic(); socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM); took.append(time.monotonic() - began)
tell(asked=asked(), took=sorted(took))
"""
)


def resolver(tmp_path, search="one.slow.example two.example", ndots=5):
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver 127.0.0.53\nsearch {search}\noptions ndots:{ndots}\n")
    switch = tmp_path / "nsswitch.conf"
    switch.write_text("hosts: files dns\n")
    return in_new_network(
        f"mount --bind {conf} /etc/resolv.conf", f"mount --bind {switch} /etc/nsswitch.conf"
    )


def by_name(trace):
    """Rows by what they are about: a question may have several results, a lookup too."""
    return {r.what: r for r in trace.rows}


def test_a_search_list_is_one_lookup_of_many_questions(tmp_path):
    with working(GETADDRINFO, "db.shop.yes", 4, prefix=resolver(tmp_path)) as client:
        with observing(dns_latency, client.pid) as seen:
            truth = json.loads(client.go())
        trace = seen.trace
    rows = by_name(trace)
    lookup = rows["lookup of db.shop.yes"]
    assert (lookup.count, lookup.result, lookup.errors) == (4, "ok", None)
    assert lookup.detail == (
        "search path: 6 questions per lookup, 4 answered NXDOMAIN; a final dot or ndots saves 4"
    )
    assert lookup.p50_s == pytest.approx(truth["took"][2], abs=0.01)
    asked = {w: r.count for w, r in rows.items() if not w.startswith("lookup")}
    assert asked == truth["asked"]
    slow = rows["db.shop.yes.one.slow.example A"]
    assert slow.result == "NXDOMAIN"
    assert slow.p50_s > 0.1
    assert rows["db.shop.yes A"].result == "ok"
    assert rows["db.shop.yes AAAA"].result == "no records"
    assert rows["db.shop.yes A"].max_s < 0.1
    assert "server 127.0.0.53:53" in slow.detail
    assert "4 DNS lookups, 24 questions" in trace.says
    assert not trace.partial


def test_a_final_dot_asks_two_questions(tmp_path):
    with working(GETADDRINFO, "db.shop.yes.", 20, prefix=resolver(tmp_path)) as client:
        with observing(dns_latency, client.pid) as seen:
            truth = json.loads(client.go())
        rows = by_name(seen.trace)
    assert truth["asked"] == {"db.shop.yes A": 20, "db.shop.yes AAAA": 20}
    assert rows["lookup of db.shop.yes"].count == 20
    assert rows["lookup of db.shop.yes"].detail == "2 questions per lookup"
    assert not any("NXDOMAIN" in r.result + r.detail for r in rows.values())


RAW = (
    SERVER
    + """
ready()
# Connected, written and read, over IPv6.
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.connect(("::1", 53))
for n in range(3): os.write(s.fileno(), query(n, "six.yes", 28)); os.read(s.fileno(), 512)
# Not connected: sendto, sendmsg, recvmsg. Asked again with the same number; never answered.
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(query(7, "to.yes"), ("127.0.0.53", 53)); s.recvfrom(512)
s.sendmsg([query(8, "message.yes")], [], 0, ("127.0.0.53", 53)); s.recvmsg(512)
for _ in range(3): s.sendto(query(9, "never.mute"), ("127.0.0.53", 53)); time.sleep(0.1)
# TCP: the length in the same bytes, and before them.
s = socket.create_connection(("127.0.0.53", 53))
one = query(1, "tcp.yes"); s.sendall(struct.pack(">H", len(one)) + one)
size = s.recv(2, socket.MSG_WAITALL); s.recv(struct.unpack(">H", size)[0], socket.MSG_WAITALL)
two = query(2, "two.tcp.yes"); os.writev(s.fileno(), [struct.pack(">H", len(two)), two])
s.recv(4096)
# Not DNS: other ports, an answer, too short.
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); other.sendto(query(3, "port.yes"), ("127.0.0.53", 5300))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x" * 11, ("127.0.0.9", 53))
time.sleep(1.0)
tell()
"""
)


def test_every_way_in_which_a_question_travels():
    with working(RAW, prefix=in_new_network()) as client:
        with observing(dns_latency, client.pid) as seen:
            client.go()
        trace = seen.trace
    rows = {r.what: r for r in trace.rows if not r.what.startswith("lookup")}
    assert {w: (r.result, r.count) for w, r in rows.items()} == {
        "six.yes AAAA": ("no records", 3),
        "to.yes A": ("ok", 1),
        "message.yes A": ("ok", 1),
        "never.mute A": ("no answer", 1),
        "tcp.yes A": ("ok", 1),
        "two.tcp.yes A": ("ok", 1),
    }
    assert "server [::1]:53" in rows["six.yes AAAA"].detail
    assert rows["never.mute A"].detail == "server 127.0.0.53:53, 2 sent again"
    assert rows["never.mute A"].errors == 1
    assert "1 question had no answer" in trace.says


def test_no_question():
    with working("ready(); s = socket.socketpair(); tell()") as idle:
        with observing(dns_latency, idle.pid) as seen:
            idle.go()
        assert seen.trace.rows == ()
        assert seen.trace.says.startswith("no DNS question in ")


def question(name, kind, at, took, result, tid=1):
    ended = None if took is None else at + took
    return Question(name, kind, result, at, ended, tid, 1, "10.0.0.53:53")


def test_two_threads_of_go_ask_for_one_lookup():
    ms = 1_000_000
    rows = [
        question("a.svc", "A", 0, 2 * ms, "NXDOMAIN", 1), question("a.svc", "AAAA", 9, 2 * ms, "NXDOMAIN", 2),
        question("a", "A", 3 * ms, 2 * ms, "ok", 2), question("a", "AAAA", 3 * ms + 5, 2 * ms, "no records", 3),
    ]  # fmt: skip
    found = _lookups.lookups(rows, {1: ["svc"]})
    assert [(k.base, len(k.questions), k.result) for k in found] == [("a", 4, "ok")]


def test_two_threads_that_look_up_the_same_are_two_lookups():
    ms = 1_000_000
    rows = [
        question(name, kind, at + tid, 2 * ms, result, tid)
        for tid in (1, 2)
        for name, at, result in (("a.svc", 0, "NXDOMAIN"), ("a", 3 * ms, "ok"))
        for kind in ("A", "AAAA")
    ]
    found = _lookups.lookups(rows, {1: ["svc"]})
    assert [(k.base, len(k.questions)) for k in found] == [("a", 4), ("a", 4)]


def test_asked_of_another_server_after_no_answer_is_the_same_lookup():
    rows = [question("a", "A", 0, None, "no answer"), question("a", "A", 5_000_000_000, 9, "ok")]
    (found,) = _lookups.lookups(rows, {})
    assert (len(found.questions), found.result) == (2, "ok")
