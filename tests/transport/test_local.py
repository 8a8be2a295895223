"""The local transport on real children: bounds, priority, mortality."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from locard.guard.command import Impact, Template
from locard.guard.gate import Gate
from locard.model.place import HERE
from locard.transport.prepared import GET_PROGRAM
from locard.transport.reach import kept_session
from support import is_alive, wait_until


def permit(*argv, **options):
    options.setdefault("bound_s", 20.0)
    template = Template(argv, Impact.READS, **options)
    return Gate({"p": (template,)}, Impact.READS, cap=Impact.INJECTS, why="").admit(
        "p", template.fill()
    )


def run(*argv, bound_s=20.0, **options):
    return kept_session(HERE).run(permit(*argv, **options), bound_s)


def test_output_exit_code_and_the_exact_argv():
    output = run("sh", "-c", "printf out; printf err >&2; exit 3")
    assert (output.stdout, output.stderr, output.exit_code) == (b"out", b"err", 3)
    assert output.argv[0].startswith("/")
    assert output.argv[1:] == ("-c", "printf out; printf err >&2; exit 3")
    assert output.duration_s > 0
    assert abs(output.started - time.time()) < 60


def test_a_missing_program_is_said():
    output = run("no-such-program-at-all")
    assert output.exit_code is None
    assert "is not installed" in output.problem


def test_time_out_keeps_what_came_and_kills_the_whole_group():
    output = run("sh", "-c", "sleep 300 & echo $!; exec sleep 300", bound_s=1.0)
    assert output.timed_out
    assert output.exit_code is None
    grandchild = int(output.stdout)
    wait_until(lambda: not is_alive(grandchild))


def test_a_grandchild_that_holds_the_pipe_ends_too():
    output = run("sh", "-c", "sleep 300 & echo $!", bound_s=10.0)
    assert output.exit_code == 0, "the command itself has ended"
    wait_until(lambda: not is_alive(int(output.stdout)))


def test_endless_output_is_cut():
    output = run("yes", max_bytes=1000)
    assert output.truncated
    assert not output.timed_out
    assert len(output.stdout) == 1000
    assert "1000 bytes" in output.problem


def test_endless_errors_do_not_fill_memory():
    output = run("sh", "-c", "head -c 1000000 /dev/zero >&2; echo done")
    assert output.stdout == b"done\n"
    assert len(output.stderr) == 64 << 10


def test_children_are_idle_write_nothing_and_leave_no_core(tmp_path):
    victim = tmp_path / "written"
    output = run("sh", "-c", f"chrt -p $$; ulimit -c; echo x > {victim}; cat {victim} | wc -c")
    assert b"SCHED_IDLE" in output.stdout
    lines = output.stdout.split(b"\n")
    assert b"0" in lines
    assert not victim.exists() or victim.read_bytes() == b""


def test_children_inherit_no_environment_that_loads_code(monkeypatch):
    for name in ("LD_PRELOAD", "PYTHONPATH", "BASH_ENV", "SECRET"):
        monkeypatch.setenv(name, "x")
    shown = run("env").stdout
    assert not any(name in shown for name in (b"LD_PRELOAD", b"PYTHONPATH", b"BASH_ENV", b"SECRET"))


def test_a_reader_of_our_own_is_streamed_and_digested():
    template = Template(
        ("python3", "-I", "-S", "-", "GET", "http://127.0.0.1:1/", "10"),
        Impact.READS,
        20.0,
        program=GET_PROGRAM,
    )
    prepared = kept_session(HERE).prepare(template.fill())
    assert prepared.argv[0] == sys.executable
    assert len(prepared.program_digest) == 64
    gate = Gate({"p": (template,)}, Impact.READS, cap=Impact.INJECTS, why="")
    output = kept_session(HERE).run(gate.admit("p", template.fill()), 20.0)
    assert output.exit_code == 1
    assert b"refused" in output.stderr


MOTHER = """
import sys
from locard.guard.command import Impact, Template
from locard.guard.gate import Gate
from locard.model.place import HERE
from locard.transport.reach import kept_session
t = Template(("sh", "-c", "echo $$ > /dev/stderr; exec sleep 300"), Impact.READS, 100.0)
gate = Gate({"p": (t,)}, Impact.READS, cap=Impact.INJECTS, why="")
import subprocess
spawned = subprocess.Popen
class Told(spawned):
    def __init__(self, *a, **k):
        super().__init__(*a, **k)
        print(self.pid, flush=True)
subprocess.Popen = Told
kept_session(HERE).run(gate.admit("p", t.fill()), 100.0)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_children_die_with_locard(number):
    mother = subprocess.Popen(
        [sys.executable, "-c", MOTHER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    child = int(mother.stdout.readline())
    assert is_alive(child)
    os.kill(mother.pid, number)
    mother.wait(20)
    mother.stdout.close()
    wait_until(lambda: not is_alive(child))


class Endpoint(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hang":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            self.wfile.flush()
            self.server.released.wait(60)
            return
        body = b"x" * 50_000 if self.path == "/big" else b"up 1\n"
        if self.path.startswith("/auth"):
            body = self.headers["Authorization"].encode() + b"\n"
        self.send_response(503 if self.path == "/down" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.released = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.released.set()
    server.shutdown()
    server.server_close()


def get(url, bound_s=20.0, **options):
    template = Template(("GET", "{url:url}"), Impact.READS, 20.0, via="http", **options)
    gate = Gate({"p": (template,)}, Impact.READS, cap=Impact.INJECTS, why="")
    return kept_session(HERE).run(gate.admit("p", template.fill(url=url)), bound_s)


def test_get(endpoint):
    output = get(endpoint + "/metrics")
    assert (output.http_status, output.stdout, output.problem) == (200, b"up 1\n", "")
    assert get(endpoint + "/down").http_status == 503


def test_get_is_bounded_in_size_and_time(endpoint):
    big = get(endpoint + "/big", max_bytes=1000)
    assert big.truncated
    assert len(big.stdout) == 1000
    hanging = get(endpoint + "/hang", bound_s=1.5)
    assert hanging.timed_out
    assert hanging.http_status is None


def test_get_says_why_there_is_no_answer():
    output = get("http://127.0.0.1:1/metrics")
    assert output.http_status is None
    assert "refused" in output.problem


def test_a_password_in_a_url_is_used_but_stands_in_no_argv(endpoint):
    url = endpoint.replace("//", "//bob:s3cret@") + "/auth?token=t0ken"
    template = Template(("GET", "{url:url}"), Impact.READS, 20.0, via="http")
    prepared = kept_session(HERE).prepare(template.fill(url=url))
    assert not any("s3cret" in part or "t0ken" in part for part in prepared.argv)
    assert get(url).stdout == b"Basic Ym9iOnMzY3JldA==\n"
