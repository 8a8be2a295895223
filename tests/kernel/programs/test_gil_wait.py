"""Waits for the GIL: threads that take turns, threads that sleep (none), and a program without an interpreter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from observing_support import observe, observing, working

from locard.kernel.programs import gil_wait
from locard.model.kernel_facts import NotObserved
from support import wait_until

TAKES_TURNS = """
ready()
def work():
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        sum(range(200))
threads = [threading.Thread(target=work) for _ in range(3)]
began = time.monotonic()
for t in threads: t.start()
for t in threads: t.join()
tell(took=time.monotonic() - began, tids=[t.native_id for t in threads])
"""


def test_three_threads_that_compute_wait_two_thirds_of_their_time():
    with working(TAKES_TURNS) as target:
        with observing(gil_wait, target.pid, max_overhead=1000.0) as look:
            truth = json.loads(target.go())
    trace = look.trace
    assert not trace.partial, trace.problem
    rows = {r.tid: r for r in trace.rows}
    assert set(truth["tids"]) <= set(rows)
    for tid in truth["tids"]:
        assert 0.45 * truth["took"] < rows[tid].total_s < 0.85 * truth["took"]
        assert rows[tid].count >= 20
    assert " waited " in trace.says


SLEEPS = """
ready()
threads = [threading.Thread(target=lambda: time.sleep(0.6)) for _ in range(4)]
lock = threading.Lock()
lock.acquire()
for t in threads: t.start()
lock.acquire(timeout=0.3)
for t in threads: t.join()
tell()
"""


def test_sleeping_and_waiting_for_a_lock_is_no_wait_for_the_gil():
    with working(SLEEPS) as target, observing(gil_wait, target.pid) as look:
        target.go()
    assert sum(r.total_s for r in look.trace.rows) < 0.02


def test_a_program_without_an_interpreter_is_said_to_have_none(start):
    sleep = shutil.which("sleep")
    if sleep is None:
        pytest.skip("no sleep")
    program = start(
        "-c",
        "import subprocess, sys; print('ready', flush=True); sys.stdin.close(); import os; os.execv('/bin/sleep', ['sleep', '60'])",
    )

    wait_until(lambda: "sleep" in str(Path(f"/proc/{program.pid}/exe").readlink()))
    fact = observe(gil_wait, program.pid, for_s=0.3)
    assert isinstance(fact, NotObserved)
    assert "CPython" in fact.why
