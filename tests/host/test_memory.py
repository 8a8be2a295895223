"""Memory of this host and of a real cgroup with a limit; cgroup v2 from recorded files."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

import here
from locard.guard.command import Wait
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


def planned(asked, *outputs):
    """The steps of a plan whose commands say what is given, then nothing."""
    plan, left, steps = memory.plan(asked), list(outputs), []
    try:
        step = next(plan)
        while True:
            steps.append(step)
            said = left.pop(0) if left else b""
            step = next(plan) if isinstance(step, Wait) else plan.send(Output(step.argv, said))
    except StopIteration:
        return steps


def test_the_plan_is_whole_before_anything_ran(cgroup, start):
    """So a dry run shows it; only files of the version that the hierarchy is of are asked for."""
    program = start("idle_pool.py")
    (cgroup / "cgroup.procs").write_text(str(program.pid))
    steps = planned(context(program.pid))
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


EDGE = "/sys/fs/cgroup/system.slice/edge.service"
# As they stood on a machine with systemd, cgroup version 2 and 1 GB, whose unit has MemoryHigh=40M.
ROOM = b"""/proc/meminfo:MemTotal: 991176 kB
/proc/meminfo:MemAvailable: 723400 kB
/proc/pressure/memory:some avg10=98.69 avg60=61.46 avg300=17.95 total=59269942
/proc/pressure/memory:full avg10=38.23 avg60=30.60 avg300=9.13 total=29836708
"""
HELD = {
    "memory.max": "419430400", "memory.current": "44417024", "memory.high": "41943040",
    "memory.swap.max": "0", "memory.events": "high 8379\noom_kill 0",
    "memory.pressure": "some avg10=98.60 total=1\nfull avg10=91.86 total=1",
}  # fmt: skip


def group(base, **changes):
    files = {f"{base}/{name}": text for name, text in (HELD | changes).items()}
    lines = [f"{path}:{line}" for path, text in files.items() for line in text.split("\n")]
    return Output(("grep", *files), "\n".join(lines).encode())


def later(base, high):
    path = f"{base}/memory.events"
    return Output(("grep", "-s", "-H", "^high ", path), f"{path}:high {high}\n".encode())


def held(*outputs):
    (fact, *_) = memory.read(
        [Output(("grep", "/proc/meminfo", "/proc/pressure/memory"), ROOM), *outputs]
    )
    found = {(r.name, r.subject): r for r in fact.readings}
    return found, found.get(("container.memory.high", "cgroup /system.slice/edge.service"))


def test_a_group_that_stands_still_at_its_memory_high():
    found, reading = held(group(EDGE), later(EDGE, 8391))
    assert (reading.verdict, reading.value, reading.limit) == ("critical", 44417024, 40 << 20)
    assert reading.detail == (
        "held back 8,379 times, 12 more within 0.7 s; all its tasks waited 91.86 % of the last 10 s; "
        "0 OOM kills in it; it may not swap"
    )
    assert reading.of == "target"
    pressure = found["system.psi.memory.full", "cgroup /system.slice/edge.service"]
    assert (pressure.verdict, pressure.of) == ("critical", "target")


def test_the_hosts_pressure_is_not_the_hosts_where_it_has_memory():
    found, _ = held(group(EDGE))
    system = found["system.psi.memory.full", "system"]
    assert (system.value, system.verdict) == (38.23, "ok")
    assert "at the limit of a cgroup" in system.detail
    short = ROOM.replace(b"MemAvailable: 723400", b"MemAvailable: 91176")
    (fact, *_) = memory.read([Output(("grep", "/proc/meminfo", "/proc/pressure/memory"), short)])
    assert {r.verdict for r in fact.readings if r.name == "system.psi.memory.full"} == {"critical"}


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"memory.current": "18792448", "memory.events": "high 0"}, "ok"),
        ({"memory.pressure": "some avg10=3.00 total=1\nfull avg10=1.00 total=1"}, "ok"),
        ({"memory.pressure": "some avg10=9.00 total=1\nfull avg10=7.00 total=1"}, "warning"),
        ({"memory.events": "low 0"}, "unknown"),
        ({"memory.pressure": ""}, "unknown"),
    ],
)
def test_at_its_memory_high_alone_is_normal(changes, verdict):
    """A group that fills its page cache up to memory.high waits for nobody."""
    assert held(group(EDGE, **changes))[1].verdict == verdict
    assert held(group(EDGE))[1].verdict == "critical"
    assert held(group(EDGE, **{"memory.high": "max"}))[1] is None


def test_how_often_it_is_held_back_is_read_twice_where_it_matters():
    asked = Context(
        Target("unit/edge", "unit", "edge", "vm", (Process(7, 1, 0, 0.0, 0, "a", ("a",)),)),
        memory_cgroups=(EDGE,),
    )
    said = group(EDGE).stdout
    steps = planned(asked, ROOM, said)
    assert any(isinstance(s, Wait) for s in steps)
    assert [s.argv[3] for s in steps if not isinstance(s, Wait)][2] == "^high "
    assert not any(isinstance(s, Wait) for s in planned(asked, ROOM, said.replace(b"444", b"111")))


def test_of_a_host_under_pressure_the_groups_that_wait_are_looked_at():
    host = Context(Target("host/vm", "host", "vm", "vm"))
    every = (
        b"/sys/fs/cgroup/system.slice/memory.pressure:full avg10=60.00 total=1\n"
        b"/sys/fs/cgroup/system.slice/edge.service/memory.pressure:full avg10=91.86 total=1\n"
        b"/sys/fs/cgroup/system.slice/calm.service/memory.pressure:full avg10=0.00 total=1\n"
    )
    steps = planned(host, ROOM, every)
    assert f"{EDGE}/memory.high" in steps[2].argv
    assert "/sys/fs/cgroup/system.slice/memory.high" not in steps[2].argv
    calm = planned(host, ROOM.replace(b"98.69", b"0.00").replace(b"38.23", b"0.00"), every)
    assert len(calm) == 1
