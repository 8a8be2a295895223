"""The sampler of a Python process, as its probe: what is no Python is said."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from locard.model.evidence import Output
from locard.model.kernel_facts import NotObserved, Trace
from locard.runtime.python import profile
from runtime.python.test_stacks import context
from support import PROGRAMS, children_of, run_probe


def test_what_is_no_python_is_said():
    process = subprocess.Popen(["sleep", "60"])
    try:
        _, facts = run_probe(profile, context(process.pid), params=profile.Params())
    finally:
        process.kill()
        process.wait()
    (refused,) = facts
    assert isinstance(refused, NotObserved)
    assert "no _PyRuntime" in refused.problem


def test_a_target_that_ends_is_said_and_what_was_counted_stays(start):
    program = start("-c", "import time\nprint('ready', flush=True)\nfor _ in range(10**9): pass")
    program_ends = subprocess.Popen(["sh", "-c", f"sleep 1; kill {program.pid}"])
    _, facts = run_probe(profile, context(program.pid), params=profile.Params())
    program_ends.wait()
    (trace,) = facts
    assert isinstance(trace, Trace)
    assert trace.observed.ended == "the target ended"
    assert trace.rows


def told(program, words):
    program.stdin.write(words + "\n")
    program.stdin.flush()
    return json.loads(program.stdout.readline())


def shares(trace, pid):
    """The share of each function by itself, of one process."""
    own = {}
    for stack in trace.stacks:
        if stack.pid == pid:
            name = stack.frames[-1].partition(" ")[0]
            own[name] = own.get(name, 0.0) + stack.value
    return {name: value / sum(own.values()) for name, value in own.items()}


def test_all_workers_are_sampled_at_once_and_told_apart(start):
    program = start("shares.py", "4:1", "1:1", "--idle", "3", stdin=subprocess.PIPE)
    one, two = json.loads(program.line)["pids"]
    _, facts = run_probe(profile, context(program.pid, one, two), params=profile.Params())
    (trace,) = facts
    by_pid = {row.pid: row for row in trace.processes}
    assert set(by_pid) == {program.pid, one, two}
    assert by_pid[program.pid].count == 0  # its threads wait
    assert by_pid[program.pid].threads == 4
    assert abs(shares(trace, one)["heavy"] - 0.8) < 0.12
    assert abs(shares(trace, two)["heavy"] - 0.5) < 0.15
    assert "at 3 processes" in trace.says
    assert sum(r.count for r in trace.rows) == by_pid[one].count + by_pid[two].count


def test_a_worker_that_begins_meanwhile_is_sampled_as_well(start):
    program = start("shares.py", stdin=subprocess.PIPE)
    begun = []
    threading.Timer(1.0, lambda: begun.append(told(program, "fork 1:1")["pid"])).start()
    _, facts = run_probe(profile, context(program.pid), params=profile.Params())
    (trace,) = facts
    assert {row.pid for row in trace.processes} == {program.pid, *begun}
    (worker,) = begun
    of_worker = sum(s.value for s in trace.stacks if s.pid == worker)
    assert of_worker > 0.5 * sum(s.value for s in trace.stacks)  # its parent was busy with the fork


def test_processes_beyond_the_bound_are_said():
    asked = (*profile._ASKED[:8], "7")
    maps = b"/proc/7/maps:/python3.11\n/proc/8/maps:/python3.11\n/proc/9/maps:/node\n"
    mapped = Output(("grep", "-s", "-o", "-E", "x", *(f"/proc/{p}/maps" for p in (7, 8, 9))), maps)
    (trace,) = profile.read((mapped, Output(asked, profile._TOLD.encode())))
    assert "1 process more than were sampled: 8" in trace.observed.lost
    assert trace.observed.blind == ("pid 9: Node.js, not sampled",)
    assert trace.partial


def test_an_investigation_profiles_who_burns_cpu_and_nobody_else(start):
    burns = start("-c", "print('ready', flush=True)\nwhile True: sum(range(1000))")
    waits = start("-c", "import time\nprint('ready', flush=True)\ntime.sleep(600)")
    outputs, facts = run_probe(profile, context(waits.pid))
    assert (facts, [o for o in outputs if "profile" in o.argv]) == ((), [])
    _, facts = run_probe(profile, context(burns.pid))
    (trace,) = facts
    assert trace.observed.seconds < 4
    assert sum(row.count for row in trace.rows) > 20


def test_a_process_in_its_own_pid_namespace_is_counted_by_this_machines_ids():
    words = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, PROGRAMS / "shares.py"]
    process = subprocess.Popen(
        [*words, "3:1", "--here"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        if not process.stdout.readline():
            pytest.skip("no pid namespace can be made here")
        (pid,) = children_of(process.pid)
        _, (trace,) = run_probe(profile, context(pid), params=profile.Params())
        threads = {int(p.name) for p in Path(f"/proc/{pid}/task").iterdir()}
    finally:
        process.stdin.close()
        process.wait(10)
    assert not [words for words in trace.observed.lost if "looks were not made" not in words]
    (row,) = [r for r in trace.threads if r.thread == "works"]
    assert row.tid in threads
    assert row.count > 100


CHURN = """
import sys, threading, time
def slow():
    time.sleep(0.2)
print("ready", flush=True)
while True:
    thread = threading.Thread(target=slow)
    thread.start()
    thread.join()
    time.sleep(0.2)
"""


def test_threads_that_live_shortly_are_sampled_as_long_as_they_live(start):
    program = start("-c", CHURN)
    asked = profile.Params(for_s=3.0, mode="wall")
    _, (trace,) = run_probe(profile, context(program.pid), params=asked)
    counts = {"main": 0.0, "slow": 0.0}
    for stack in trace.stacks:
        counts["main" if stack.thread == "MainThread" else "slow"] += stack.value
    assert 0.35 < counts["slow"] / counts["main"] < 0.65  # it lives half of the time
