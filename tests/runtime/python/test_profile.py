"""The sampler of a Python process, as its probe: what is no Python is said."""

from __future__ import annotations

import subprocess

from locard.model.kernel_facts import NotObserved, Trace
from locard.runtime.python import profile
from runtime.python.test_stacks import context
from support import run_probe


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


def test_an_investigation_profiles_who_burns_cpu_and_nobody_else(start):
    burns = start("-c", "print('ready', flush=True)\nwhile True: sum(range(1000))")
    waits = start("-c", "import time\nprint('ready', flush=True)\ntime.sleep(600)")
    outputs, facts = run_probe(profile, context(waits.pid))
    assert (facts, [o for o in outputs if "profile" in o.argv]) == ((), [])
    _, facts = run_probe(profile, context(burns.pid))
    (trace,) = facts
    assert trace.observed.seconds < 4
    assert sum(row.count for row in trace.rows) > 20
