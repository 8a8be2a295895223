"""Memory of this host and of a real cgroup with a limit; cgroup v2 from recorded files."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

import here
from locard.host import memory
from locard.investigate import discover
from locard.model.evidence import Output
from locard.model.target import Context, Process, Target
from support import run_probe

V1 = Path("/sys/fs/cgroup/memory")


def context(*pids):
    processes = tuple(Process(p, 1, 0, 0.0, 0, "python3", ("python3",)) for p in pids)
    target = Target("pid/1", "pid", "1", "here", processes)
    return Context(target, memory_cgroups=discover.cgroups(here.surroundings(target), "memory"))


def readings_of(*pids):
    _, (fact, *_) = run_probe(memory, context(*pids))
    return {(r.name, r.subject): r for r in fact.readings}


def test_this_host():
    found = readings_of()
    available = found["system.memory.linux.available", "system"]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert available.limit == pytest.approx(pages, rel=0.05)
    assert 0 < available.value < available.limit
    assert found["system.memory.linux.dirty", "system"].verdict != "unknown"
    known = Path("/proc/pressure/memory").exists()
    assert (found["system.psi.memory.full", "system"].verdict != "unknown") == known


@pytest.fixture
def cgroup():
    path = V1 / f"locard-test-{os.getpid()}"
    try:
        path.mkdir()
        (path / "memory.limit_in_bytes").write_text(str(64 << 20))
    except OSError as error:
        pytest.skip(f"no memory cgroup (v1) can be made here: {error}")
    yield path
    for pid in (path / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):
            (V1 / "cgroup.procs").write_text(pid)
    path.rmdir()


def test_a_process_near_the_limit_of_its_cgroup(cgroup, start):
    code = "import sys; sys.stdin.readline(); b = bytearray(59 << 20); print('full', flush=True); sys.stdin.readline()"
    read, write = os.pipe()
    # The first line is said before the cgroup is entered, the second when the memory is held.
    program = start("-c", f"print('ready', flush=True); {code}", stdin=read)
    (cgroup / "cgroup.procs").write_text(str(program.pid))
    os.write(write, b"\n")
    assert program.stdout.readline() == "full\n"
    reading = readings_of(program.pid)[
        "container.memory.working_set", f"cgroup /memory/{cgroup.name}"
    ]
    os.close(write)
    os.close(read)
    assert reading.limit == 64 << 20
    assert reading.verdict in {"warning", "critical"}
    assert 59 << 20 < reading.value <= 64 << 20


def test_the_plan_is_whole_before_anything_ran(cgroup, start):
    """So a dry run shows it; only files of the version that the hierarchy is of are asked for."""
    program = start("idle_pool.py")
    (cgroup / "cgroup.procs").write_text(str(program.pid))
    steps = list(memory.plan(context(program.pid)))
    assert [s.argv[0] for s in steps] == ["grep", "grep", "grep"]
    assert f"{cgroup}/memory.usage_in_bytes" in steps[1].argv
    assert f"{cgroup}/memory.max" not in steps[1].argv


def test_a_limit_of_an_ancestor_binds_in_version_2():
    base = "/sys/fs/cgroup/pod"
    files = (f"{base}/memory.max", f"{base}/memory.current", f"{base}/a:b/memory.max")
    text = f"{files[0]}:1000\n{files[1]}:950\n{files[2]}:max\n"
    (fact,) = memory.read([Output(("grep", *files), text.encode())])
    limited = [r for r in fact.readings if r.name == "container.memory.working_set"]
    assert [(r.subject, r.verdict) for r in limited] == [("cgroup /pod", "warning")]


def test_what_cannot_be_read_is_unknown():
    (fact,) = memory.read([Output(("grep", "/proc/meminfo"), b"", exit_code=2)])
    assert {r.verdict for r in fact.readings} == {"unknown"}
