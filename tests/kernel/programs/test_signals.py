"""Signals by sender and receiver, on processes that send a known number."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from observing_support import observing, working

from locard.kernel.programs import signals
from support import needs_root, wait_until

pytestmark = needs_root

_SIGNALS = """
import signal
got = []
signal.signal(signal.SIGUSR1, lambda *a: got.append(1))
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
ready()
for k in range(5): os.kill(os.getpid(), signal.SIGUSR2)
print("go on", flush=True)
while len(got) < 7: time.sleep(0.01)
pid = os.fork()
if pid == 0:
    import ctypes; ctypes.string_at(8)
os.waitpid(pid, 0)
signal.setitimer(signal.ITIMER_REAL, 0.01); signal.signal(signal.SIGALRM, lambda *a: got.append(2))
while got[-1] != 2: time.sleep(0.01)
tell()
time.sleep(60)
"""


def test_who_sends_what_to_whom(tmp_path):
    with working(_SIGNALS, tmp_path) as target, observing(signals, target.pid) as seen:
        target.go()
        for _ in range(7):
            os.kill(target.pid, signal.SIGUSR1)
            wait_until(lambda: not _pending(target.pid, signal.SIGUSR1 - 1))
        target._process.stdout.readline()
        os.kill(target.pid, signal.SIGTERM)
        wait_until(lambda: target._process.poll() is not None)
    trace = seen.trace
    assert not trace.partial, trace.problem
    rows = [(r.what.split()[0], r.result, r.pid, r.count, r.detail) for r in trace.rows]
    me = f"({os.getpid()})"
    usr1 = [r for r in rows if r[0] == "SIGUSR1"]
    assert sum(r[3] for r in usr1) == 7
    assert all(me in r[4] for r in usr1)
    assert any("7 met a handler" in r[4] for r in usr1)
    assert [r[1:4] for r in rows if r[0] == "SIGUSR2"] == [("ignored", target.pid, 5)]
    (segv,) = [r for r in rows if r[0] == "SIGSEGV"]
    assert "by the kernel; an address that is not mapped; 1 met the default" in segv[4]
    (alarm,) = [r for r in rows if r[0] == "SIGALRM"]
    assert alarm[4].startswith("by the kernel")
    (term,) = [r for r in rows if r[0] == "SIGTERM"]
    assert me in term[4]
    assert term[4].endswith("it ended the process")
    assert f"SIGTERM ended process {target.pid}, sent by " in trace.says
    assert any((r[0] == "SIGCHLD" and "dumped core" in r[4]) or "killed" in r[4] for r in rows)


def _pending(pid, bit):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [line.split()[1] for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return any(int(mask, 16) >> bit & 1 for mask in masks)


def test_no_signal():
    with (
        working("ready()\nfor k in range(20): time.sleep(0.01)\ntell()\nsys.stdin.readline()") as t,
        observing(signals, t.pid, for_s=0.6) as seen,
    ):
        t.go()
    assert seen.trace.says == f"no signal in {seen.trace.observed.seconds:.1f} s"
