"""Fires on a process that SIGSTOP holds, at once and for real; stays quiet on one that runs."""

from __future__ import annotations

import os
import signal

from locard.kernel.probes import thread_states
from locard.model.facts import ProcessCondition, ProcessConditions
from locard.model.finding import Role, Severity
from locard.model.target import Context, Process, Target
from locard.rules import stopped_target
from rules.builders import case, state, states
from support import is_alive, run_probe, wait_until


def looked_at(process):
    processes = (Process(process.pid, 1, 0, 0.0, 0, "python3", ("python3",)),)
    _, facts = run_probe(
        thread_states, Context(Target("pid/1", "pid", "1", "here", processes), pause_s=0.1)
    )
    return case(*facts)


def test_fires_on_a_real_stopped_process(start):
    process = start("idle_pool.py")
    os.kill(process.pid, signal.SIGSTOP)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        (found,) = stopped_target.judge(looked_at(process))
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert f"(pid {process.pid}) is stopped" in found.title
    assert "10 of its threads" in found.title
    assert found.role is Role.MECHANISM
    assert found.severity is Severity.CRITICAL


def test_quiet_on_a_process_that_runs(start):
    process = start("idle_pool.py")
    wait_until(lambda: is_alive(process.pid))
    assert list(stopped_target.judge(looked_at(process))) == []


def test_fires_for_one_of_several_and_says_that_others_are_free():
    held = ProcessConditions((ProcessCondition(8, "gunicorn", "stopped", 1),))
    (found,) = stopped_target.judge(case(states(state(0, 9, pid=7)), held))
    assert [s.says for s in found.against] == ["1 other processes of the target are not held"]


def test_a_tracer_that_lets_it_run_is_background():
    held = ProcessConditions((ProcessCondition(8, "app", "traced", 0, "strace (pid 9)"),))
    (found,) = stopped_target.judge(case(held))
    assert found.title == "app (pid 8) is traced by strace (pid 9)"
    assert found.role is Role.CONTEXT
