"""Who interrupts an observation sees what it counted until then, and nothing of it stays attached."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from observing_support import working
from test_after_kill import _all_below, _reader, held_by, loaded, permitted  # noqa: F401 - a fixture

from support import is_alive, wait_until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: to see what the kernel has loaded"
)

_WORK = """
ready()
for _ in range(300):
    os.close(os.open("/etc/hostname", os.O_RDONLY))
print("worked", flush=True)
ready("again")
"""
_SSH = """#!/bin/sh
[ "$1" = -V ] && { echo "OpenSSH_9.2p1" >&2; exit 0; }
for last; do :; done
exec /bin/sh -c "$last"
"""
_ASKED = {
    "syscalls": ("syscalls", "--max-overhead", "1000"),
    "opens": ("trace", "opens", "--max-overhead", "1000"),
    "libcalls": ("libcalls", "-e", "open64+close", "--max-overhead", "1000"),
    "waits": ("waits",),
}
_BY_YOU = re.compile(r"ended by you after [0-9]+\.[0-9] s of 60 s")
_LAST_S = 60.0  # of a test that hangs


class Interrupted:
    """A locard that observes a target for a minute, with all that it has loaded."""

    def __init__(self, target, state, *words, env=None):
        self.before = loaded()
        argv = [sys.executable, "-m", "locard", *words, f"pid/{target.pid}", "--for", "60s"]
        self.process = subprocess.Popen(
            [*argv, "--state", state, "-o", "json"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip
        self.said = []
        self.hears = threading.Thread(target=lambda: self.said.extend(self.process.stderr))
        self.hears.start()
        wait_until(lambda: self.process.poll() is not None or _reader(self.process.pid), _LAST_S)
        assert self.process.poll() is None, self.said
        self.reader = _reader(self.process.pid)
        self.far = _all_below(self.process.pid)
        self.mine = {x for x in loaded() - self.before if x in held_by(self.reader)}
        assert any(what == "program" for what, _ in self.mine), "the control: it had loaded one"

    def end(self):
        """Its document, once it has ended; what it had loaded is gone."""
        out = self.process.stdout.read()
        self.hears.join()
        assert self.process.wait() == 4, self.said
        wait_until(lambda: not any(map(is_alive, self.far)), 10.0)
        wait_until(lambda: not self.mine & loaded(), 10.0)
        return json.loads(out)


def _counted(fact, kind):
    """How many opens of the target the fact knows; of waits, whether it was looked at."""
    if kind == "waits":
        return 300 * bool(fact["threads"])
    rows = fact["calls"] if kind == "syscalls" else fact["rows"]
    return sum(r["count"] for r in rows if r["what"] in {"openat", "/etc/hostname", "open64"})


@pytest.mark.usefixtures("permitted")
@pytest.mark.parametrize(
    ("kind", "number", "far"),
    [
        *((kind, signal.SIGINT, False) for kind in _ASKED),
        ("syscalls", signal.SIGTERM, False),
        ("opens", signal.SIGHUP, False),
        ("syscalls", signal.SIGINT, True),
    ],
)
def test_what_was_counted_until_then_is_told_and_recorded(kind, number, far, tmp_path):
    wrapper = tmp_path / "ssh"
    wrapper.write_text(_SSH)
    wrapper.chmod(0o755)
    env = {**os.environ, "LOCARD_SSH": str(wrapper)}
    with working(_WORK) as target:
        there = ("--on", "host/q") if far else ()
        locard = Interrupted(target, tmp_path / "state", *_ASKED[kind], *there, env=env)
        target.go()
        locard.process.send_signal(number)
        document = locard.end()
    (evidence,) = document["evidence"]
    (fact,) = evidence["facts"]
    assert _counted(fact, kind) == 300
    assert (document["exit_code"], evidence["status"]) == (4, "partial")
    assert _BY_YOU.fullmatch(evidence["problem"])
    assert _BY_YOU.fullmatch(fact["observed"]["ended"])
    verified = subprocess.run(
        [sys.executable, "-m", "locard", "incident", "verify", "last", "--state", tmp_path / "state"],
        check=False, capture_output=True,
    )  # fmt: skip
    assert verified.returncode == 0, verified


@pytest.mark.usefixtures("permitted")
@pytest.mark.parametrize("times", [1, 2])
def test_a_reader_that_does_not_answer_is_not_waited_for(times, tmp_path):
    with working(_WORK) as target:
        locard = Interrupted(target, tmp_path, *_ASKED["syscalls"])
        os.kill(locard.reader, signal.SIGSTOP)
        for number in range(times):
            wait_until(lambda: not number or any("second interrupt" in s for s in locard.said))  # noqa: B023
            locard.process.send_signal(signal.SIGINT)
        document = locard.end()
        assert is_alive(target.pid)
    (evidence,) = document["evidence"]
    assert "interrupted" in evidence["problem"]
    assert "ended by you after" not in str(document), "nobody told how long it was"
    assert document["partial"]


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_a_tool_tells_what_it_counted_too(tmp_path):
    with working(_WORK) as target:
        words = ("syscalls", "--engine", "strace", "--allow", "pauses")
        argv = [sys.executable, "-m", "locard", *words, f"pid/{target.pid}", "--for", "60s"]
        locard = subprocess.Popen(
            [*argv, "--state", tmp_path, "-o", "json", "-q"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

        def traced():
            return "TracerPid:\t0" not in Path(f"/proc/{target.pid}/status").read_text()

        wait_until(traced)
        target.go()
        locard.send_signal(signal.SIGINT)
        document = json.loads(locard.communicate()[0])
        assert not traced()
    (evidence,) = document["evidence"]
    assert _counted(evidence["facts"][0], "syscalls") == 300
    assert _BY_YOU.search(evidence["problem"])
    assert locard.returncode == 4
