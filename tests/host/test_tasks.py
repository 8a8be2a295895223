"""Real limits: a pids cgroup that is nearly full, this host, a user's own threads."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

import here
from locard.host import _tasks, tasks
from locard.investigate import discover
from locard.model import semconv
from locard.model.target import Context
from support import run_probe

CROWD = """
import threading, time
for _ in range(18): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print("ready", flush=True); time.sleep(60)
"""


def readings_of(target, groups=()):
    _, (fact,) = run_probe(tasks, Context(target, pids_cgroups=groups))
    return {(r.name, r.subject): r for r in fact.readings}


@pytest.fixture
def group():
    path = Path(f"/sys/fs/cgroup/pids/locard-tasks-{os.getpid()}")
    try:
        path.mkdir()
        (path / "pids.max").write_text("20")
    except OSError as error:
        pytest.skip(f"no pids cgroup (v1) can be made here: {error}")
    yield path
    for pid in (path / "cgroup.procs").read_text().split():
        (path.parent / "cgroup.procs").write_text(pid)
    path.rmdir()


def test_a_cgroup_that_is_nearly_full(group, start):
    program = start("-c", CROWD)
    (group / "cgroup.procs").write_text(str(program.pid))
    target = here.find(f"pid/{program.pid}")
    groups = discover.cgroups(here.surroundings(target), "pids")
    assert str(group) in groups
    found = readings_of(target, groups)
    reading = found[semconv.CONTAINER_TASKS, f"cgroup /pids/{group.name}"]
    assert (reading.value, reading.limit, reading.verdict) == (19, 20, "critical")


def test_this_host_has_room(start):
    found = readings_of(here.find(f"pid/{start('idle_pool.py').pid}"))
    host = found[semconv.SYSTEM_THREADS, "system"]
    assert host.verdict == "ok"
    assert host.limit > host.value > 0


def test_root_is_not_bound_and_others_are():
    records = [
        {"pid": 7, "uid": 0, "threads": 1, "limit": 10},
        {"pid": 8, "uid": 33, "threads": 1, "limit": 10},
        {"uid": 0, "tasks": 99},
        {"uid": 33, "tasks": 10},
    ]
    (reading,) = tasks._users(records)
    assert (reading.subject, reading.verdict) == ("uid 33", "critical")


def test_the_reader_runs_on_python_3_6():
    ast.parse(Path(_tasks.__file__).read_text("utf-8"), feature_version=(3, 6))
