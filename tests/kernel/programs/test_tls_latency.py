"""TLS of a real client through Python's ssl and OpenSSL: done, refused, given up, and what was moved."""

from __future__ import annotations

import json
import subprocess

import pytest
from observing_support import observing, working

from locard.kernel.programs import tls_latency
from locard.model.kernel_facts import NotObserved


@pytest.fixture
def certificate(tmp_path):
    """A self-signed one for localhost, key and all in one file."""
    key, crt, both = tmp_path / "key", tmp_path / "crt", tmp_path / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", crt,
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_bytes(key.read_bytes() + crt.read_bytes())
    return both


# The server is an orphan: its handshakes are not the target's. It answers 40 ms after the connect.
CLIENT = """
import ssl, asyncio
pem, how = sys.argv[1:3]
listener = socket.create_server(("127.0.0.1", 0)); mute = socket.create_server(("127.0.0.1", 0))
held, holds = os.pipe()
def serve(c, context):
    time.sleep(0.04)
    try:
        with context.wrap_socket(c, server_side=True) as s:
            while True:
                got = s.recv(1000)
                if not got: return
                s.sendall(got * 2)
    except OSError: pass
def accept():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain(pem)
    while True:
        c, _ = listener.accept()
        threading.Thread(target=serve, args=(c, context), daemon=True).start()
if os.fork() == 0:
    if os.fork() == 0:
        os.close(holds); threading.Thread(target=accept, daemon=True).start(); os.read(held, 1)
    os._exit(0)
os.wait(); port = listener.getsockname()[1]
good = ssl.create_default_context(cafile=pem); bad = ssl.create_default_context()
def dial(context, to=port): return context.wrap_socket(socket.create_connection(("127.0.0.1", to)), server_hostname="localhost")
dial(good).close()
ready()
if how == "blocking":
    for _ in range(4):
        s = dial(good)
        for _ in range(5): s.sendall(b"x" * 100); s.recv(1000)
        s.close()
    for _ in range(3):
        try: dial(bad)
        except ssl.SSLError: pass
    s = socket.create_connection(mute.getsockname()); s.settimeout(0.1)
    try: good.wrap_socket(s, server_hostname="localhost")
    except OSError: pass
    del s
else:
    async def ask():
        r, w = await asyncio.open_connection("127.0.0.1", port, ssl=good, server_hostname="localhost")
        for _ in range(5): w.write(b"x" * 100); await r.readexactly(200)
        w.close()
    async def every(): await asyncio.gather(*(ask() for _ in range(4)))
    asyncio.run(every())
tell()
"""


def rows_of(certificate, how):
    with working(CLIENT, certificate, how) as client:
        with observing(tls_latency, client.pid) as seen:
            client.go()
        trace = seen.trace
    assert not trace.partial
    return {(r.what, r.result): r for r in trace.rows}, trace


def test_handshakes_reads_and_writes(certificate):
    rows, trace = rows_of(certificate, "blocking")
    done = rows["handshake", "ok"]
    assert (done.count, done.errors) == (4, None)
    assert done.min_s > 0.035  # the server's own wait
    assert "libssl" in done.detail or "python" in done.detail
    assert rows["handshake", "failed"].count == 3
    assert rows["handshake", "gave up"].count == 1
    assert rows["handshake", "gave up"].max_s == pytest.approx(0.1, abs=0.05)
    assert (rows["write", "ok"].count, rows["write", "ok"].bytes) == (20, 2000)
    assert (rows["read", "ok"].count, rows["read", "ok"].bytes) == (20, 4000)
    assert "4 handshakes, p50" in trace.says
    assert "3 handshakes failed" in trace.says


def test_a_handshake_in_many_calls_is_one(certificate):
    rows, trace = rows_of(certificate, "asyncio")
    done = rows["handshake", "ok"]
    assert done.count == 4
    assert done.min_s > 0.035
    assert "calls of each" in done.detail
    assert (rows["write", "ok"].count, rows["write", "ok"].bytes) == (20, 2000)
    assert rows["read", "ok"].bytes == 4000
    assert not any(r.errors for r in trace.rows)


def test_no_library_is_said_and_no_handshake_is_none():
    with working("ready(); tell()") as plain:
        with observing(tls_latency, plain.pid) as seen:
            plain.go()
        assert isinstance(seen.fact, NotObserved)
        assert "no file that the target has mapped" in seen.fact.why
    with working("import ssl\nready(); tell()") as idle:
        with observing(tls_latency, idle.pid) as seen:
            line = json.loads(idle.go())
        assert line == {}
        assert seen.trace.rows == ()
        assert seen.trace.says.startswith("no TLS call of the target in ")
