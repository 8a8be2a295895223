"""The target sampled through gate and transport: levels beside limits, changes, and what is not told."""

from __future__ import annotations

import io
import os
import subprocess
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest

import locard as package
from locard.metrics.sources import process
from locard.model.evidence import Output
from locard.model.target import Context, Process, Target
from locard.report import metrics_screen
from support import needs_root, run_probe
from v1_groups import V1

FEW = process.Params(for_s=1.0, interval_s=0.1)


@pytest.fixture(name="v1")
def _v1():
    groups = V1()
    yield groups
    groups.remove()


def context(*pids, **options):
    every = tuple(Process(p, 1, 0, 0.0, 0, "python3", ("python3",)) for p in pids)
    return Context(Target("pid/1", "pid", "1", "here", every), pause_s=0.2, **options)


def signals(found, resource):
    return [s for s in found.signals if s.resource == resource]


def screen(found):
    return "\n".join(metrics_screen.lines(found, None))


OPENS = """
import resource, time
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
kept = [open("/dev/null") for _ in range(50)]
print(len(kept), flush=True)
time.sleep(600)
"""


def test_open_files_beside_their_limit(start):
    pid = start("-c", OPENS).pid
    held = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    _, (found,) = run_probe(process, context(pid), params=FEW)
    assert found.source == "procfs"
    assert found.url == f"procfs and cgroups of pid {pid}"
    (fds,) = signals(found, "fds")
    assert (fds.after, fds.limit, fds.onset) == (held, 64.0, None)
    assert dict(fds.subject)["pid"] == str(pid)
    assert found.queries == 0
    assert {s.query for s in found.signals} == {""}
    assert any("no baseline, levels only" in words for words in found.not_told)
    shown = screen(found)
    assert f"{held} of 64 fds ({100 * held / 64:.0f} %)" in shown
    assert "Grafana" not in shown
    assert "before and after" not in shown
    assert "no series changed" not in shown


def test_nothing_of_it_is_taken_for_requests(start):
    """Reads are no traffic, and faults no errors, whatever their names sound like."""
    pid = start("-c", BURNS, stdin=subprocess.PIPE).pid
    outputs, (found,) = run_probe(process, context(pid), params=FEW)
    assert b"process_io_read_syscalls_total" in outputs[0].stdout
    assert {s.signal for s in found.signals} == {"saturation"}


def test_a_process_with_few_of_them_is_not_full(start):
    pid = start("-c", "import time; print(1, flush=True); time.sleep(600)").pid
    _, (found,) = run_probe(process, context(pid), params=FEW)
    (fds,) = signals(found, "fds")
    assert fds.after < 0.5 * fds.limit


BURNS = """
import sys
print("ready", flush=True)
sys.stdin.readline()
print("burns", flush=True)
while True: pass
"""


@needs_root
def test_the_share_of_periods_in_which_a_quota_stops_it(start, v1):
    quota = v1.make("cpu", {"cpu.cfs_period_us": 50000, "cpu.cfs_quota_us": 2000})
    used = v1.make("cpuacct", {})
    tasks = v1.make("pids", {"pids.max": 20})
    v1.enter(start("-c", BURNS, stdin=subprocess.PIPE), quota, used, tasks)
    before = v1.stat(quota)
    where = context(v1.pid, cpu_cgroups=(str(quota),), pids_cgroups=(str(tasks),))
    _, (found,) = run_probe(process, where, params=replace(FEW, for_s=3.0, interval_s=0.5))
    after = v1.stat(quota)
    truth = (after["nr_throttled"] - before["nr_throttled"]) / (after["nr_periods"] - before["nr_periods"])  # fmt: skip
    assert truth > 0.3, "this machine is too busy to burn 2 ms in 50"
    (throttled,) = signals(found, "throttled")
    assert dict(throttled.subject) == {"id": f"/{quota.name}"}
    assert throttled.after == pytest.approx(truth, abs=0.25)
    (of_limit,) = signals(found, "cpu of limit")
    assert of_limit.limit == pytest.approx(0.04)
    assert 0 < of_limit.after < 0.08
    (group,) = [s for s in signals(found, "threads") if s.metric == "container_threads"]
    assert (group.after, group.limit) == (1.0, 20.0)


@needs_root
def test_no_quota_is_no_throttling(start, v1):
    free = v1.make("cpu", {})
    v1.enter(start("-c", BURNS, stdin=subprocess.PIPE), free)
    _, (found,) = run_probe(process, context(v1.pid, cpu_cgroups=(str(free),)), params=FEW)
    assert not signals(found, "throttled")
    assert not signals(found, "cpu of limit")
    (cpu,) = [s for s in signals(found, "cpu") if s.metric == "process_cpu_seconds"]
    assert cpu.after > 0.1


HOLDS = """
import sys, time
print("ready", flush=True)
sys.stdin.readline()
held = bytearray(48 << 20)
held[::4096] = b"y" * len(held[::4096])
print("holds", flush=True)
time.sleep(600)
"""


@needs_root
def test_two_groups_each_beside_its_own_limit(start, v1):
    """A parent and its child are two: nothing of one is added to the other."""
    parent = v1.make("memory", {"memory.limit_in_bytes": 512 << 20})
    child = parent / "inner"
    child.mkdir()
    try:
        (child / "memory.limit_in_bytes").write_text(str(64 << 20))
        one = start("-c", HOLDS, stdin=subprocess.PIPE)
        v1.enter(one, child)
        where = context(one.pid, memory_cgroups=(str(child), str(parent)))
        _, (found,) = run_probe(process, where, params=FEW)
    finally:
        one.kill()
        one.wait()
        child.rmdir()
    by = {dict(s.subject)["id"]: s for s in signals(found, "working set")}
    assert {name: s.limit for name, s in by.items()} == {
        f"/{parent.name}/inner": float(64 << 20), f"/{parent.name}": float(512 << 20)}  # fmt: skip
    inner, outer = by[f"/{parent.name}/inner"], by[f"/{parent.name}"]
    assert 48 << 20 <= inner.after <= 60 << 20
    assert outer.after == pytest.approx(inner.after, rel=0.1)
    shares = [s.after / s.limit for s in found.signals if s.limit]
    assert shares == sorted(shares, reverse=True), "the fullest stands first"


def test_a_group_of_version_2_beside_its_limits(tmp_path, start):
    group = tmp_path / "shop.slice"
    group.mkdir()
    for name, text in {
        "cgroup.controllers": "cpu memory pids\n", "cgroup.events": "populated 1\n",
        "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4\n",
        "cpu.stat": "usage_usec 5000000\nnr_periods 100\nnr_throttled 40\nthrottled_usec 25\n", "cpu.max": "50000 100000\n",
        "memory.current": "95000000\n", "memory.max": "100000000\n", "memory.stat": "anon 90000000\ninactive_file 1000000\n",
        "memory.events": "high 7\nmax 3\noom 0\noom_kill 0\n", "pids.current": "39\n", "pids.max": "40\n",
    }.items():  # fmt: skip
        (group / name).write_text(text)
    pid = start("-c", "import time; print(1, flush=True); time.sleep(600)").pid
    where = context(pid, memory_cgroups=(str(group),), pids_cgroups=(str(group),))
    _, (found,) = run_probe(process, where, params=FEW)
    (working,) = signals(found, "working set")
    assert (working.after, working.limit) == (94_000_000, 100_000_000)
    (tasks,) = [s for s in signals(found, "threads") if s.metric == "container_threads"]
    assert (tasks.after, tasks.limit) == (39.0, 40.0)
    assert "container_threads" in screen(found)
    assert "39 of 40 threads (98 %)" in screen(found)
    assert {s.signal for s in found.signals} == {"saturation"}


def test_an_investigation_takes_little_time_of_it():
    (command,) = [*process.plan(replace(context(os.getpid()), pause_s=2.0))]
    assert (command.argv[4], command.argv[5]) == ("3", "0.5")
    (command,) = [*process.plan(context(os.getpid()), process.Params())]
    assert (command.argv[4], command.argv[5]) == ("10", "1")


def written(values, name="process_open_fds", pid=7):
    """What the sampler would print of a process, once a second."""
    text = "\n".join(
        (Path(package.__file__).parent / p).read_text() for p in process.SAMPLE.program.split("+")
    )
    space = {"__name__": "travelled"}
    exec(compile(text, "travelled", "exec"), space)
    took = len(values) - 1.0
    out = io.StringIO()
    with redirect_stdout(out):
        space["say"](
            asked={"pids": [pid], "window": took, "for": took},
            source={"kind": "procfs", "sampled": True},
        )
        interest = took * space["WINDOW"] if took >= space["LONG_S"] else took
        space["say"](window={"start": 1e6, "end": 1e6 + took, "match": "", "interest": interest})
        space["say"](step=1.0, interval=1.0, types={name: "gauge", "process_max_fds": "gauge"})
        for called, every in ((name, values), ("process_max_fds", [1024.0] * len(values))):
            times = [1e6 + n for n in range(len(values))]
            labels = {"__name__": called, "pid": str(pid), "comm": "app"}
            space["tell_series"](labels, times, every, 10.0)
        space["say"](processes=[], of=0, all=1, missed=[],
                     sampled={"seconds": took, "interval": 1.0, "ticks": len(values), "late": 0, "stopped": ""})  # fmt: skip
    return Output(("python3", "-"), out.getvalue().encode())


def test_a_change_inside_of_a_minute_and_more():
    values = [20.0 + n % 3 for n in range(60)] + [600.0 + n % 3 for n in range(30)]
    (found,) = process.read([written(values)])
    (fds,) = signals(found, "fds")
    assert fds.direction == "up"
    assert fds.onset.earliest - 1e6 <= 60 <= fds.onset.latest - 1e6 + 1
    assert not any("levels only" in words for words in found.not_told)


def test_no_change_is_told_of_half_a_minute():
    values = [20.0 + n % 3 for n in range(15)] + [600.0 + n % 3 for n in range(15)]
    (found,) = process.read([written(values)])
    (fds,) = signals(found, "fds")
    assert fds.onset is None
    assert found.changed == ()
    assert "sampled for 29 s: no baseline, levels only" in found.not_told


def test_what_stays_as_it_is_for_a_minute_is_told_so():
    (found,) = process.read([written([20.0 + n % 3 for n in range(90)])])
    (fds,) = signals(found, "fds")
    assert fds.onset is None
    assert "before and after" in screen(found)


def test_a_process_that_has_ended_is_said(start):
    gone = start("-c", "print(1, flush=True)")
    gone.wait()
    _, (found,) = run_probe(process, context(gone.pid), params=FEW)
    assert "none of its processes is there any more" in found.problem
    assert found.partial
