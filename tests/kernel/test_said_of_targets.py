"""What is said of targets that are none of the usual: kernel threads, traced ones, names that are no text, hurried readers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from observing_support import observe, observing, skip_if_refused, working

from locard.kernel.probes import libcalls, syscalls, waits
from locard.kernel.programs import off_cpu, opens
from locard.model.target import Context, Process, Target
from support import needs_root, wait_until

KTHREADD = Process(2, 0, 1, 0.0, 0, "kthreadd", ())
WORKER = Process(7, 2, 1, 0.0, 0, "kworker/0:1", ())
PROGRAM = Process(8, 1, 1, 0.0, 0, "sh", ("sh",))


def of(*processes):
    first = processes[0]
    return Context(
        Target(f"pid/{first.pid}", "pid", str(first.pid), "here", processes), pause_s=0.2
    )


@pytest.mark.parametrize("probe", [syscalls, libcalls, opens])
def test_a_kernel_thread_has_no_calls_and_is_named_as_one(probe):
    for processes in ((KTHREADD, WORKER), (WORKER,)):
        skip = probe.applies(of(*processes))
        assert f"pid {processes[0].pid} ({processes[0].comm}) is a kernel thread" in skip.why
        assert f"locard waits pid/{processes[0].pid}" in skip.unlock
    assert probe.applies(of(PROGRAM)) is None
    # In a container pid 2 is a process as any other.
    assert probe.applies(of(Process(2, 0, 1, 0.0, 0, "sh", ("sh",)))) is None


@pytest.mark.parametrize("probe", [waits, off_cpu])
def test_what_a_kernel_thread_does_can_be_looked_at(probe):
    assert probe.applies(of(WORKER)) is None


@needs_root
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_who_traces_the_target_is_said():
    with working("ready()\nwhile True: time.sleep(0.01)") as target:
        fact = observe(syscalls, target.pid, for_s=0.3)
        skip_if_refused(fact)
        assert "traced" not in str(fact.observed.blind)
        tracer = subprocess.Popen(
            ["strace", "-f", "-o", os.devnull, "-p", str(target.pid)], stderr=subprocess.DEVNULL
        )
        try:
            status = Path(f"/proc/{target.pid}/status")
            wait_until(lambda: f"TracerPid:\t{tracer.pid}\n" in status.read_text())
            fact = observe(syscalls, target.pid, for_s=0.3)
        finally:
            tracer.terminate()
            tracer.wait()
    assert f"traced by strace (pid {tracer.pid})" in str(fact.observed.blind)


@needs_root
def test_names_that_differ_in_a_byte_that_is_no_text_are_two(tmp_path):
    code = (
        "names = [os.fsencode(sys.argv[1]) + n for n in (b'/a\\xff', b'/a\\xfe')]\n"
        "ready()\nfor n in names: os.close(os.open(n, os.O_CREAT))\ntell(opens=2)"
    )
    with working(code, tmp_path) as target, observing(opens, target.pid) as seen:
        target.go()
    names = {r.what for r in seen.trace.rows if str(tmp_path) in r.what}
    assert names == {f"{tmp_path}/a\\xff", f"{tmp_path}/a\\xfe"}


@needs_root
@pytest.mark.parametrize("words", [("syscalls",), ("trace", "opens")])
def test_a_reader_that_has_seen_enough_makes_no_answer_partial(words, tmp_path):
    code = "ready()\nwhile True:\n    os.close(os.open('/etc/hostname', 0)); time.sleep(0.01)"
    with working(code) as target:
        target._process.stdin.write("go\n")
        target._process.stdin.flush()
        argv = [sys.executable, "-m", "locard", *words, f"pid/{target.pid}", "--for", "300ms"]
        reads, writes = os.pipe()
        running = subprocess.Popen(
            [*argv, "--state", tmp_path, "-q"], stdout=writes, stderr=subprocess.PIPE, text=True
        )
        os.close(writes)
        os.close(reads)  # before it has said a word
        _, said = running.communicate(timeout=60)
    assert running.returncode in {0, 1}, said
    assert said == ""


@needs_root
def test_more_functions_than_can_be_let_go_of_are_cut_and_said():
    with working("ready()\nwhile True: time.sleep(0.01)") as target:
        fact = observe(libcalls, target.pid, for_s=0.3, expression="***", max_overhead=10000.0)
    skip_if_refused(fact)
    assert "functions that fit were not attached to: name fewer" in fact.problem
    assert sum(int(a.split()[0]) for a in fact.observed.attached) == 600
