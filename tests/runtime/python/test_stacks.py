"""py-spy on real processes, through the transport; and what it says of those that are no Python."""

from __future__ import annotations

import contextlib
import json
import subprocess

import pytest

from locard.guard.command import Command
from locard.model.evidence import Output
from locard.model.facts import RuntimeCoverage, TaskSamples
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
    (coverage,) = [f for f in facts if isinstance(f, RuntimeCoverage)]
    if any("not permitted" in p.why for p in coverage.processes):
        pytest.skip("py-spy may not read other processes here")
    assert len(facts) >= 2, outputs
    return outputs, facts[0], coverage


def test_a_convoy_is_seen_at_its_line(start):
    _, samples, coverage = samples_of(start("lock_convoy.py").pid)
    assert samples.rounds >= stacks.DEFAULTS.rounds - 1, samples.missed  # one torn dump is possible
    innermost = [s.frames[0] for s in samples.stacks if s.frames]
    assert sum(f.function == "reserve" for f in innermost) >= 3 * samples.rounds
    assert any(f.function == "exchange" for f in innermost)
    assert all(s.tid for s in samples.stacks)
    assert not coverage.partial
    # The queue moves: only who slept through both readings is joined, and then it is at a lock.
    joined = [s.kernel for s in samples.stacks if s.kernel and s.frames[0].function == "reserve"]
    assert {s.syscall for s in joined} <= {"futex"}


def test_threads_that_sleep_through_are_joined_with_the_kernels_word(start):
    _, samples, _ = samples_of(start("sleepers.py").pid)
    asleep = [s for s in samples.stacks if s.frames and s.frames[0].function == "pause"]
    assert asleep
    assert all(s.kernel is not None for s in asleep)
    assert {s.kernel.syscall for s in asleep} == {"clock_nanosleep"}
    assert all(s.kernel.tid == s.tid for s in asleep)


def test_rounds_go_over_all_processes_and_others_are_named(start, shell):
    one, two = start("idle_pool.py").pid, start("sleepers.py").pid
    outputs, samples, _ = samples_of(one, shell.pid, two)
    dumped = [int(o.argv[-1]) for o in outputs if "dump" in o.argv]
    assert dumped == [one, two] * stacks.DEFAULTS.rounds
    assert {s.pid for s in samples.stacks} == {one, two}
    assert f"pid {shell.pid}: native: no adapter yet" in samples.missed


def test_a_process_that_ends_meanwhile_is_missed(start):
    program = start("sleepers.py")
    plan = stacks.plan(context(program.pid))
    mapped = next(plan)
    line = f"/proc/{program.pid}/maps:/python3.11\n".encode()
    look = plan.send(Output(mapped.argv, line))
    assert look.argv[-1] == str(program.pid)
    assert plan.send(Output(look.argv, b"")).argv[-1] == str(program.pid)
    program.kill()
    program.wait()
    _, (_, coverage) = run_probe(stacks, context(program.pid))
    assert coverage.nothing
    assert "ended" in coverage.problem


def test_a_dry_run_plans_a_dump_for_each_process():
    plan = stacks.plan(context(7, 8))
    steps = [next(plan)]
    with contextlib.suppress(StopIteration):
        while True:
            steps.append(plan.send(Output((), b"")))
    dumps = [s.pids for s in steps if isinstance(s, Command) and "dump" in s.argv]
    assert dumps == [(7,), (8,)] * stacks.DEFAULTS.rounds


def test_nothing_that_is_python_is_not_an_error():
    plan = stacks.plan(context(7))
    mapped = next(plan)
    found = Output(mapped.argv, b"/proc/7/maps:[stack]\n", exit_code=0)
    samples, coverage = stacks.read([found])
    assert samples.missed == coverage.missed == ("pid 7: native: no adapter yet",)
    assert [(p.runtime, p.stacks) for p in coverage.processes] == [("native", 0)]
    assert coverage.nothing
    assert not coverage.problem
    go = plan.send(found)
    assert go.argv[-1] == "/proc/7/exe"
    with pytest.raises(StopIteration):
        plan.send(Output(go.argv, b"", exit_code=1))


@pytest.mark.parametrize(
    ("mapped", "runtime"),
    [
        ("/python3.11", "CPython 3.11"),
        ("/libpython2.7.so.1.0", "CPython 2.7"),
        ("/python3.13t", "CPython 3.13"),
        ("/libpypy3.9-c.so", "PyPy"),
        ("/node", "Node.js"),
        ("/libjvm.so", "JVM"),
        ("/libruby-3.1.so.3.1", "Ruby"),
        ("/libcoreclr.so", ".NET"),
        ("/beam.smp", "Erlang"),
    ],
)
def test_a_runtime_is_named_and_its_lack_of_stacks_is_no_calm(mapped, runtime):
    argv = next(stacks.plan(context(7))).argv
    text = f"/proc/7/maps:{mapped}\n/proc/7/maps:[stack]\n"
    samples, coverage = stacks.read([Output(argv, text.encode())])
    assert coverage.processes[0].runtime == runtime
    assert samples.stacks == ()
    assert coverage.nothing
    assert runtime in coverage.problem


def test_a_stack_is_joined_only_with_a_thread_that_slept_through():
    def look(switches, tid=9):
        return Output(
            ("python3", "-", "1", "0", "7"),
            json.dumps(
                {"round": 0, "pid": 7, "tid": tid, "comm": "x", "state": "S", "syscall": "futex",
                 "call": "202 0x1 0x2", "switches": switches, "nstid": 9}
            ).encode(),
        )  # fmt: skip

    dump = stacks.SAMPLES[0].outputs[1]
    for later, joined in ((5, True), (6, False)):
        facts = stacks.read([look(5, 4009), dump, look(later, 4009)])
        (thread,) = facts[0].stacks
        assert thread.tid == 4009, "the id inside its pid namespace is mapped to ours"
        assert (thread.kernel is not None) is joined


def test_a_crowd_of_threads_gets_fewer_dumps_and_more_time():
    crowd = Process(7, 1, 0, 0.0, 0, "python3", ("python3",), threads=5000)
    plan = stacks.plan(Context(Target("pid/7", "pid", "7", "here", (crowd,))))
    step, steps = plan.send(None), []
    with contextlib.suppress(StopIteration):
        while True:
            steps.append(step)
            text = b"/proc/7/maps:/python3.11\n" if len(steps) == 1 else b""
            # Our own reader gives none of it: py-spy, whose dump of so many takes seconds, is asked.
            code = int("dump" in step.argv) if isinstance(step, Command) else 0
            answer = Output(getattr(step, "argv", ()), text, exit_code=code)
            step = plan.send(answer if isinstance(step, Command) else None)
    dumps = [s for s in steps if isinstance(s, Command) and s.argv[0] == "py-spy"]
    assert len(dumps) == stacks.ROUNDS_OF_MANY
    assert dumps[0].bound_s > stacks.DUMP.bound_s


def test_it_needs_processes():
    assert stacks.applies(context()) is not None


LOOP = "import asyncio\nasync def serve():\n    print('ready', flush=True)\n    await asyncio.sleep(60)\nasyncio.run(serve())"
BESIDE = (
    "import asyncio, threading, time\n"
    "async def serve():\n    print('ready', flush=True)\n    await asyncio.sleep(60)\n"
    "threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()\ntime.sleep(60)"
)


@pytest.mark.parametrize("code", [LOOP, BESIDE])
def test_tasks_of_a_loop_are_read_in_whichever_thread_it_runs(start, code):
    _, facts = run_probe(stacks, context(start("-c", code).pid))
    (tasks,) = [f for f in facts if isinstance(f, TaskSamples)]
    (task,) = tasks.tasks
    assert [s.name for s in task.steps] == ["serve", "sleep", "_asyncio.Future"]
    (coverage,) = [f for f in facts if isinstance(f, RuntimeCoverage)]
    assert not coverage.partial


@pytest.mark.parametrize(
    ("file", "hidden"), [("asyncio/base_events.py", True), ("queue.py", False)]
)
def test_coroutines_that_were_not_read_are_said(file, hidden):
    frames = [{"name": "run", "filename": f"/usr/lib/python3.7/{file}", "line": 7}]
    dump = [
        {
            "pid": 7,
            "thread_name": "MainThread",
            "os_thread_id": 7,
            "active": False,
            "frames": frames,
        }
    ]
    mapped = Output(next(stacks.plan(context(7))).argv, b"/proc/7/maps:/python3.7\n")
    spied = Output(("py-spy", "dump", "--pid", "7"), json.dumps(dump).encode())
    (_, coverage) = stacks.read([mapped, spied])
    assert bool(coverage.processes[0].hidden) is hidden
    assert coverage.partial is hidden


def test_threads_of_other_interpreters_are_said():
    def look(*tids):
        lines = (
            {"round": 0, "pid": 7, "tid": t, "comm": "x", "state": "R", "switches": 1} for t in tids
        )
        text = "\n".join(map(json.dumps, lines))
        return Output(("python3", "-", "1", "0", "7"), text.encode())

    argv = next(stacks.plan(context(7))).argv
    dump = stacks.SAMPLES[0].outputs[1]
    for loaded, said in (("\n/proc/7/maps:/_interpreters.cpython", True), ("", False)):
        mapped = Output(argv, f"/proc/7/maps:/python3.13{loaded}\n".encode())
        _, coverage = stacks.read([mapped, look(9, 10), dump, look(9, 10)])
        assert coverage.processes[0].without_stack == 1
        assert bool(coverage.processes[0].hidden) is said


def test_a_fault_of_our_own_reader_is_said_and_is_no_round():
    mapped = Output(next(stacks.plan(context(7))).argv, b"/proc/7/maps:/python3.11\n")
    failed = Output(
        ("python3", "-I", "-S", "-", "dump", "7"),
        b"",
        stderr=b"Traceback (most recent\nNameError: x\n",
        exit_code=1,
    )
    samples = stacks.read([mapped, failed, *stacks.SAMPLES[0].outputs[1:]])[0]
    assert samples.missed == ("pid 7: locard's own reader failed, a bug: NameError: x",)
    assert samples.rounds == 2
    assert {s.round for s in samples.stacks} == {0, 1}


def test_tasks_that_were_not_read_make_it_partial():
    mapped = Output(next(stacks.plan(context(7))).argv, b"/proc/7/maps:/python3.11\n")
    said = [{"pid": 7, "unread_tasks": "asyncio tasks: 3 were not read"}, {"pid": 7, "table": []}]
    dump = Output(("python3", "-I", "-S", "-", "dump", "7"), json.dumps(said).encode(), exit_code=0)
    (tasks,) = [f for f in stacks.read([mapped, dump]) if isinstance(f, TaskSamples)]
    assert tasks.partial
    assert tasks.problem == "asyncio tasks: 3 were not read"
