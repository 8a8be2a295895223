"""py-spy on real processes, through the transport; and what it says of those that are no Python."""

from __future__ import annotations

import contextlib
import subprocess

import pytest

from locard.guard.command import Command
from locard.model.evidence import Output
from locard.model.target import Context, Process, Target
from locard.runtime.python import stacks
from support import run_probe


def context(*pids):
    processes = tuple(Process(p, 1, 0, 0.0, 0, "python3", ("python3",)) for p in pids)
    return Context(Target("pid/1", "pid", "1", "here", processes))


@pytest.fixture
def shell():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def samples_of(*pids):
    outputs, facts = run_probe(stacks, context(*pids))
    assert len(facts) == 1, outputs
    if any("not permitted" in m for m in facts[0].missed):
        pytest.skip("py-spy may not read other processes here")
    return outputs, facts[0]


def test_a_convoy_is_seen_at_its_line(start):
    _, samples = samples_of(start("lock_convoy.py").pid)
    assert samples.rounds >= stacks.ROUNDS - 1, samples.missed  # one torn dump is possible
    innermost = [s.frames[0] for s in samples.stacks if s.frames]
    assert sum(f.function == "reserve" for f in innermost) >= 3 * samples.rounds
    assert any(f.function == "exchange" for f in innermost)
    assert all(s.tid for s in samples.stacks)


def test_rounds_go_over_all_processes_and_others_are_named(start, shell):
    one, two = start("idle_pool.py").pid, start("sleepers.py").pid
    outputs, samples = samples_of(one, shell.pid, two)
    dumped = [int(o.argv[-1]) for o in outputs[1:]]
    assert dumped == [one, two] * stacks.ROUNDS
    assert {s.pid for s in samples.stacks} == {one, two}
    assert f"pid {shell.pid}: not CPython" in samples.missed


def test_a_process_that_ends_meanwhile_is_missed(start):
    program = start("sleepers.py")
    plan = stacks.plan(context(program.pid))
    detect = next(plan)
    dump = plan.send(Output(detect.argv, f"/proc/{program.pid}/maps:x\n".encode()))
    program.kill()
    program.wait()
    _, facts = run_probe(stacks, context(program.pid))
    assert dump.argv[-1] == str(program.pid)
    assert facts[0].stacks == ()
    assert len(facts[0].missed) == 1


def test_a_dry_run_plans_a_dump_for_each_process():
    plan = stacks.plan(context(7, 8))
    steps = [next(plan)]
    with contextlib.suppress(StopIteration):
        while True:
            steps.append(plan.send(Output((), b"")))
    dumps = [s.pids for s in steps if isinstance(s, Command) and s.argv[0] == "py-spy"]
    assert dumps == [(7,), (8,)] * stacks.ROUNDS


def test_nothing_that_is_python_is_not_an_error():
    argv = ("/usr/bin/grep", "-E", "x", "/proc/7/maps")
    (fact,) = stacks.read([Output(argv, b"", exit_code=1)])
    assert fact.missed == ("pid 7: not CPython",)
    plan = stacks.plan(context(7))
    next(plan)
    with pytest.raises(StopIteration):
        plan.send(Output(argv, b"", exit_code=1))


def test_it_needs_processes():
    assert stacks.applies(context()) is not None
