"""Tasks of asyncio and what they await, on each CPython that this machine has."""

from __future__ import annotations

import contextlib
import subprocess

import pytest

from far.test_python_stacks import EVERY, VERSIONS, look_items
from locard.runtime.python._tasks import tasks
from support import PROGRAMS


@contextlib.contextmanager
def awaiting(python):
    process = subprocess.Popen(
        [python, "-B", PROGRAMS / "awaiting.py"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n"
        yield process.pid
    finally:
        process.stdin.close()
        assert process.wait(10) == 0  # nothing was cancelled, woken or kept alive


def names_of(task):
    return [(s.name.rpartition(".")[2], s.kind) for s in task.steps]


@pytest.mark.parametrize("version", EVERY)
def test_chains_go_through_gather_and_generators_to_their_end(version):
    with awaiting(VERSIONS[version]) as pid:
        found = {t.name: t for t in tasks(look_items(pid))}
    assert {"keeper", "fetches", "pay-0", "pay-1", "pay-2"} < set(found)
    assert names_of(found["fetches"])[1:-1] == [
        ("fetch", "coroutine"), ("pages", "async_generator"), ("wait", "coroutine"),
    ]  # fmt: skip
    assert found["fetches"].steps[-1].kind == "future"
    keeper = found["keeper"]
    assert keeper.awaits == ("fetches",)
    assert names_of(keeper)[:2] == [("named", "coroutine"), ("keep", "coroutine")]
    lock = found["pay-0"].lock
    assert lock is not None
    assert {found[f"pay-{n}"].lock for n in range(3)} == {lock}
    assert [t.name for t in found.values() if lock in t.inside] == ["keeper"]
    assert all(t.pid == pid for t in found.values())


RUNS = """
import asyncio, sys, time
async def inner():
    await asyncio.sleep(0)
    print("ready", flush=True)
    sys.stdin.read()
async def outer():
    await inner()
async def main():
    await asyncio.ensure_future(outer())
asyncio.run(main())
"""


@pytest.mark.parametrize("version", EVERY)
def test_a_task_that_its_loop_is_inside_of_runs_and_awaits_nothing(version):
    process = subprocess.Popen(
        [VERSIONS[version], "-B", "-c", RUNS],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    found = {t.steps[0].name.rpartition(".")[2]: t for t in tasks(look_items(process.pid))}
    assert (found["outer"].runs, len(found["outer"].steps)) == (True, 1)
    assert not found["main"].runs
    assert found["main"].awaits == (found["outer"].name,)
    process.stdin.close()
    assert process.wait(10) == 0


def test_lines_are_those_of_the_source():
    source = (PROGRAMS / "awaiting.py").read_text().splitlines()
    with awaiting(next(iter(VERSIONS.values()))) as pid:
        found = {t.name: t for t in tasks(look_items(pid))}
    step = next(s for s in found["pay-0"].steps if s.name.endswith("pay"))
    assert source[step.line - 1].strip() == "async with lock:"
    step = next(s for s in found["fetches"].steps if s.kind == "async_generator")
    assert source[step.line - 1].strip() == "await event.wait()"
