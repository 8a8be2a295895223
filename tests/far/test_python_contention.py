"""Who keeps others waiting in a CPython, on each interpreter that this machine has: the GIL, loops, semaphores, queues."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import time

import pytest

from far.test_python_stacks import EVERY, VERSIONS, look_items
from support import PROGRAMS

LOOKS = 8


@contextlib.contextmanager
def running(python, kind):
    process = subprocess.Popen(
        [python, "-B", PROGRAMS / "contended.py", kind],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert json.loads(process.stdout.readline())["kind"] == kind
        yield process.pid
    finally:
        if kind == "in-c":  # it cannot run to see that its input is closed
            process.kill()
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def seen(pid, key, enough=1):
    """What several looks say of one kind; until some said enough."""
    found = []
    for _ in range(LOOKS):
        found += [i for i in look_items(pid) if key in i]
        if len(found) >= enough:
            break
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("version", EVERY)
def test_threads_that_compute_take_turns_and_the_holder_is_one_of_them(version):
    with running(VERSIONS[version], "spin") as pid:
        looks = seen(pid, "gil", 3)
        threads = [t["os_thread_id"] for t in look_items(pid) if t.get("thread_name") == "spin"]
    assert looks
    assert any(look["queue"] >= 1 for look in looks)
    assert {w for look in looks for w in look["waiting"]} <= {pid, *threads}
    assert any(look["switches"] for look in looks)
    assert {look["holder"] for look in looks} & set(threads)
    assert all(look["gil"] == 5.0 for look in looks)


@pytest.mark.parametrize("version", EVERY)
def test_a_call_that_keeps_the_gil_is_told_from_taking_turns(version):
    with running(VERSIONS[version], "in-c") as pid:
        looks = seen(pid, "gil", 2)
    assert looks
    for look in looks:
        assert (look["holder"], look["switches"]) == (pid, 0)
        assert look["kept_ms"] >= 60


@pytest.mark.parametrize("kind", ["alone", "io"])
def test_nobody_waits_for_the_gil_where_one_computes_or_all_wait_for_io(kind):
    with running(VERSIONS["3.11"], kind) as pid:
        looks = [i for _ in range(4) for i in look_items(pid) if "gil" in i]
    assert sum(look["queue"] for look in looks) / 4 < 1


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize("kind", ["loop-cpu", "loop-sleep"])
def test_a_callback_that_keeps_the_loop_is_named_by_its_task(version, kind):
    with running(VERSIONS[version], kind) as pid:
        looks = seen(pid, "loop", 3)
    assert looks
    assert any(look["kept_ms"] >= 50 for look in looks)
    assert {look["tid"] for look in looks} == {pid}
    assert {look["task"] for look in looks} <= {"login-0", "login-1", "login-2"}
    assert all(look["exact"] for look in looks)


@pytest.mark.parametrize("version", EVERY)
def test_many_short_callbacks_are_not_one_long_one(version):
    with running(VERSIONS[version], "loop-short") as pid:
        looks = seen(pid, "loop", 4)
    assert looks
    # Where the machine is full a short one is kept from its CPU now and then.
    assert statistics.median(look["kept_ms"] for look in looks) < 20


def test_a_loop_that_waits_for_work_is_in_no_callback():
    with running(VERSIONS["3.11"], "loop-idle") as pid:
        assert not [i for _ in range(3) for i in look_items(pid) if "loop" in i]


@pytest.mark.parametrize("version", EVERY)
def test_semaphores_and_queues_tell_their_limit_and_who_waits(version):
    for kind, name, values, waiting in (
        ("semaphore", "threading.BoundedSemaphore", (2, 2, 0), 2),
        ("full-queue", "queue.Queue", (3, 3, 3), 2),
        ("empty-queue", "queue.Queue", (0, 0, 0), 2),
    ):
        with running(VERSIONS[version], kind) as pid:
            found = [i for i in look_items(pid) if i.get("waited") == name]
        (one,) = found
        assert (one["limit"], one["used"], one["size"]) == values, kind
        assert len(one["threads"]) == waiting, kind


@pytest.mark.parametrize("version", EVERY)
def test_tasks_that_wait_for_a_semaphore_are_named(version):
    with running(VERSIONS[version], "loop-semaphore") as pid:
        (one,) = [i for i in look_items(pid) if i.get("waited") == "asyncio.Semaphore"]
    assert (one["size"], sorted(one["tasks"])) == (0, ["login-1", "login-2"])


GEVENT = """
import os, sys
from gevent import monkey
monkey.patch_all()
import gevent
sleep = monkey.get_original("time", "sleep")

def query():
    sleep(0.5) if sys.argv[1] == "blocks" else gevent.sleep(0.05)

def handle():
    while True:
        query()
        gevent.sleep(0)

for _ in range(3):
    gevent.spawn(handle)
print("ready", flush=True)
gevent.get_hub().threadpool.spawn(lambda: (os.read(0, 1), os._exit(0)))
gevent.sleep(3600)
"""


@pytest.mark.parametrize(("word", "blocked"), [("blocks", True), ("yields", False)])
def test_a_greenlet_that_does_not_give_the_hub_back(word, blocked):
    """Its stack holds nothing of gevent: that its hub is suspended tells it."""
    pytest.importorskip("gevent")
    process = subprocess.Popen(
        [sys.executable, "-c", GEVENT, word],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        looks = seen(process.pid, "loop", 3)
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
    kept = [look for look in looks if look["kept_ms"] >= 50]
    assert bool(kept) == blocked
    assert {(look["loop"], look["tid"], look["exact"]) for look in kept} <= {
        ("gevent", process.pid, False)
    }
