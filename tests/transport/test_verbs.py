"""What a user can ask, and over which way in: each pair for real, the whole command. docs/places.md is made of it.

A service (an HTTP page of metrics, a log, a sleeping thread) runs at each place: on this machine, on a host
behind a real sshd in namespaces, in a podman container with a python3, in one with BusyBox alone.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import wait_until

SERVICE = """
import http.server, json, sys, threading, time
log = open(sys.argv[1], "w", buffering=1)
for n in range(200):
    log.write(json.dumps({"time": "2026-11-27T10:%02d:%02dZ" % (n // 60, n % 60), "status": 500 if n > 150 else 200}) + "\\n")
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(b"# TYPE jobs_total counter\\njobs_total 5\\nprocess_open_fds 7\\nprocess_max_fds 1024\\n")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Page)
threading.Thread(target=time.sleep, args=(6000,), daemon=True).start()
print("up", flush=True)
server.serve_forever()
"""
LOG, PORT = "/tmp/locard-verbs.log", "18437"
WAYS = ("local", "ssh", "podman", "podman, BusyBox")
PYTHON_ALONE = "without a python3 there is none of it"


class Here:
    """What a test needs to know of a place: the target, the flags that lead there, and the environment."""

    def __init__(self, target, *flags, log=LOG, port=PORT, env=None):
        self.target, self.flags, self.log, self.port = target, flags, str(log), port
        self.env = {**os.environ, **(env or {})}

    def ask(self, locard, *words):
        return locard.json(*words, *self.flags, "-q", env=self.env)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    log = tmp_path_factory.mktemp("verbs") / "app.log"
    argv = [sys.executable, "-c", SERVICE, str(log), "18436"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        yield Here(f"pid/{process.pid}", log=log, port="18436")
        process.kill()


@pytest.fixture(scope="module")
def ssh(network):
    network.host("verbs", users=[("oncall", "/bin/bash")])
    inside = ("nsenter", "-t", network.first("verbs"), "-n", "-m", "-u", "-p", "--")
    user = ("setpriv", "--reuid", "oncall", "--clear-groups", "--")
    argv = [*inside, *user, "/usr/bin/python3", "-c", SERVICE, LOG, PORT]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        env = {"LOCARD_SSH": str(network.ssh)}
        yield Here("proc/locard-verbs", "--on", "host/oncall@verbs", env=env)
        with contextlib.suppress(ProcessLookupError):
            process.kill()


@pytest.fixture(scope="module")
def podman(containers):
    command = ("/usr/bin/python3", "-c", SERVICE, LOG, PORT)
    containers.with_python("verbs", command=command)
    said = [str(containers.client), "logs", "verbs"]
    wait_until(lambda: b"up" in subprocess.run(said, capture_output=True, check=False).stdout)
    return engine(containers, "verbs")


@pytest.fixture(scope="module")
def busybox(containers):
    containers.run("verbs-bare", "busybox")
    return engine(containers, "verbs-bare")


def engine(containers, name):
    """The place inside of a container, by a podman with the test's own storage."""
    path = f"{Path(containers.client).parent}:{os.environ['PATH']}"
    return Here("pid/1", "--on", f"container/{name}", env={"PATH": path})


@pytest.fixture
def at(request, way):
    names = {"local": "local", "ssh": "ssh", "podman": "podman", "podman, BusyBox": "busybox"}
    return request.getfixturevalue(names[way])


def verb(*ways):
    """The ways in over which a verb is tried."""
    return pytest.mark.parametrize("way", ways or WAYS)


def facts(document, probe):
    return next(e for e in document["evidence"] if e["probe"] == probe)["facts"]


WITH_PYTHON = ("local", "ssh", "podman")


@verb()
def test_processes_of_the_target(locard, at, way):
    document = at.ask(locard, "probe", "processes", at.target)
    assert facts(document, "processes")[0]["processes"]


@verb()
def test_host_checklist(locard, at, way):
    document = at.ask(locard, "probe", "memory", at.target)
    assert any(r["verdict"] == "ok" for r in facts(document, "memory")[0]["readings"])


@verb(*WITH_PYTHON)
def test_thread_states(locard, at, way):
    document = at.ask(locard, "probe", "thread-states", at.target, "--rounds", "2")
    assert facts(document, "thread-states")[0]["rounds"] == 2


@verb(*WITH_PYTHON)
def test_far_ends_of_connections(locard, at, way):
    document = at.ask(locard, "probe", "peers", at.target)
    assert document["evidence"][0]["status"] in {"ok", "no_data", "partial"}
    assert not document["evidence"][0]["ran"][0]["problem"]


@verb(*WITH_PYTHON)
def test_stacks_of_python(locard, at, way):
    """Where py-spy is missing that is said, with how to get it."""
    document = at.ask(locard, "probe", "stacks", at.target, "--rounds", "1")
    said = str(document["evidence"][0])
    assert "serve_forever" in said or "py-spy" in said


@verb(*WITH_PYTHON)
def test_metrics_page_reached_from_there(locard, at, way):
    url = f"http://127.0.0.1:{at.port}/metrics"
    document = at.ask(locard, "probe", "exposition", at.target, "--metrics", url)
    assert facts(document, "exposition")[0]["series"] >= 2


@verb(*WITH_PYTHON)
def test_log_files(locard, at, way):
    words = ("logs", at.log, "--by", "status", "-o", "jsonl", "--no-keep", *at.flags)
    done = locard(*words, env=at.env)
    assert '"status": 500' in done.stdout.replace('":5', '": 5'), done.stderr


@verb(*WITH_PYTHON)
def test_whole_investigation(locard, at, way):
    document = at.ask(locard, "investigate", at.target, "--logs", at.log)
    layers = {layer["layer"]: layer["status"] for layer in document["layers"]}
    assert layers["logs"] == "ran"
    assert layers["host"] in {"ran", "partial"}
    assert facts(document, "first-pass")[0]["records"] == 200


@verb()
def test_dry_run(locard, at, way):
    done = locard("investigate", at.target, *at.flags, "--dry-run", env=at.env)
    assert done.returncode == 0, done.stderr
    assert "None of these was run" in done.stdout


@verb()
def test_what_works_there(locard, at, way):
    place = at.flags[1:] or ()
    found = locard.json("doctor", *place, env=at.env)
    there = {c["name"]: c["works"] for c in found["capabilities"]}
    assert there["python3"] is (way != "podman, BusyBox")


@verb("podman")
def test_containers_own_log(locard, at, way):
    name = at.flags[1].partition("/")[2]
    done = locard("logs", f"container/{name}", "--where", "message ~ up", env=at.env)
    assert "up" in done.stdout, done.stderr
