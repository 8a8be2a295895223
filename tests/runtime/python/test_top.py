"""What is told of each interval, as the probe reads it."""

from __future__ import annotations

import json
import subprocess

from locard.model.kernel_facts import NotObserved, Trace
from locard.runtime.python import top
from runtime.python.test_stacks import context
from support import run_probe


def test_an_interval_of_all_workers(start):
    program = start("shares.py", "3:1", "1:1", "--idle", "2", stdin=subprocess.PIPE)
    one, two = json.loads(program.line)["pids"]
    _, (trace,) = run_probe(top, context(program.pid, one, two))
    assert isinstance(trace, Trace)
    cpu = {row.pid: row.total_s for row in trace.processes}
    assert min(cpu[one], cpu[two]) > cpu[program.pid]  # whose threads wait
    assert {row.pid for row in trace.threads if row.count} == {one, two}
    names = {row.what for row in trace.rows if row.count}
    assert {"heavy (programs/shares.py)", "light (programs/shares.py)"} <= names
    work = next(row for row in trace.rows if row.what == "work (programs/shares.py)")
    assert work.value >= 0.98 * sum(row.count for row in trace.rows)  # below it is all that they do


def test_intervals_fit_what_is_asked():
    assert top.Params(every_s=2.0, for_s=5.0).number == 3
    assert top.Params(every_s=2.0, intervals=2, for_s=5.0).number == 2
    assert top.Params(every_s=0.2, for_s=0.6).number == 3


def test_what_is_no_python_is_said(start):
    process = subprocess.Popen(["sleep", "60"])
    try:
        _, (refused,) = run_probe(top, context(process.pid))
    finally:
        process.kill()
        process.wait()
    assert isinstance(refused, NotObserved)
    assert "no _PyRuntime" in refused.problem
