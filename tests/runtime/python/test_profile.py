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
        _, facts = run_probe(profile, context(process.pid))
    finally:
        process.kill()
        process.wait()
    (refused,) = facts
    assert isinstance(refused, NotObserved)
    assert "no _PyRuntime" in refused.problem


def test_a_target_that_ends_is_said_and_what_was_counted_stays(start):
    program = start("-c", "import time\nprint('ready', flush=True)\nfor _ in range(10**9): pass")
    program_ends = subprocess.Popen(["sh", "-c", f"sleep 1; kill {program.pid}"])
    _, facts = run_probe(profile, context(program.pid))
    program_ends.wait()
    (trace,) = facts
    assert isinstance(trace, Trace)
    assert trace.observed.ended == "the target ended"
    assert trace.rows
