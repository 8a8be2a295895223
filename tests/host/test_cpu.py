"""CPU of this host while a real program spins, and verdicts on recorded readings."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

import here
from locard.host import cpu
from locard.investigate import discover
from locard.model.evidence import Output
from locard.model.target import Context, Process, Target
from support import run_probe


def context(*pids):
    processes = tuple(Process(p, 1, 0, 0.0, 0, "python3", ("python3",)) for p in pids)
    target = Target("pid/1", "pid", "1", "here", processes)
    return Context(
        target, pause_s=0.6, cpu_cgroups=discover.cgroups(here.surroundings(target), "cpu")
    )


def test_a_program_that_spins_is_seen(start):
    program = start("-c", "print('ready', flush=True)\nwhile True: pass")
    outputs, (fact,) = run_probe(cpu, context(program.pid))
    found = {(r.name, r.subject): r for r in fact.readings}
    assert len([o for o in outputs if "/proc/stat" in o.argv]) == 2
    assert found["process.cpu.utilization", f"pid {program.pid}"].value > 0.1
    shares = [
        found["system.cpu.utilization", f"system {m}"].value for m in ("busy", "steal", "iowait")
    ]
    assert shares[0] > 0.05
    assert 0 <= sum(shares) <= 1.001
    assert found["system.cpu.run_queue", "system"].limit >= 1


def stat(user, idle, iowait, steal):
    argv = ("grep", "/proc/stat", "/proc/loadavg", "/proc/pressure/cpu")
    text = f"/proc/stat:cpu {user} 0 0 {idle} {iowait} 0 0 {steal} 0 0\n/proc/stat:cpu0 1\n"
    return Output(argv, text.encode())


@pytest.mark.parametrize(
    ("later", "mode", "verdict"),
    [
        (stat(10, 86, 0, 4), "steal", "ok"),
        (stat(10, 84, 0, 6), "steal", "warning"),
        (stat(10, 70, 0, 20), "steal", "critical"),
        (stat(10, 60, 30, 0), "iowait", "warning"),
        (stat(90, 10, 0, 0), "busy", "warning"),
        (stat(100, 0, 0, 0), "busy", "critical"),
        (stat(50, 50, 0, 0), "busy", "ok"),
    ],
)
def test_verdicts(later, mode, verdict):
    (fact,) = cpu.read([stat(0, 0, 0, 0), later])
    (reading,) = [r for r in fact.readings if r.subject == f"system {mode}"]
    assert reading.verdict == verdict


def test_one_reading_alone_says_nothing():
    (fact,) = cpu.read([stat(10, 10, 10, 10)])
    shares = [r for r in fact.readings if r.name == "system.cpu.utilization"]
    assert {r.verdict for r in shares} == {"unknown"}


def test_a_share_is_judged_less_the_error_of_the_counters():
    """One CPU and 100 ticks: the sixth per cent may be a tick that was counted too much."""
    for stolen, verdict in ((5, "ok"), (6, "warning")):
        (fact,) = cpu.read([stat(0, 0, 0, 0), stat(0, 100 - stolen, 0, stolen)])
        (reading,) = [r for r in fact.readings if r.subject == "system steal"]
        assert (reading.value, reading.verdict) == (stolen / 100, verdict)


def queue(running):
    argv = ("grep", "/proc/stat")
    return Output(argv, f"/proc/stat:cpu0 1\n/proc/stat:procs_running {running}\n".encode())


@pytest.mark.parametrize(
    ("then", "now", "verdict"),
    [(20, 20, "critical"), (1, 20, "ok"), (20, 1, "ok"), (5, 9, "warning")],
)
def test_a_run_queue_must_be_long_in_both_readings(then, now, verdict):
    (fact,) = cpu.read([queue(then), queue(now)])
    (reading,) = [r for r in fact.readings if r.name == "system.cpu.run_queue"]
    assert (reading.value, reading.verdict) == (now - 1, verdict)


V1 = Path("/sys/fs/cgroup/cpu")
SPIN = "print('ready', flush=True)\nwhile True: pass"


@pytest.fixture
def cgroup():
    path = V1 / f"locard-test-{os.getpid()}"
    try:
        path.mkdir()
        (path / "cpu.cfs_quota_us").write_text("-1")
    except OSError as error:
        pytest.skip(f"no cpu cgroup (v1) can be made here: {error}")
    yield path
    for pid in (path / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):
            (V1 / "cgroup.procs").write_text(pid)
    path.rmdir()


def throttling_of(cgroup, start, quota_us):
    (cgroup / "cpu.cfs_quota_us").write_text(str(quota_us))
    program = start("-c", SPIN)
    (cgroup / "cgroup.procs").write_text(str(program.pid))
    outputs, (fact,) = run_probe(cpu, context(program.pid))
    assert len(outputs) == 4
    return [r for r in fact.readings if r.name == "container.cpu.throttled_share"]


def test_a_quota_that_is_too_small(cgroup, start):
    (reading,) = throttling_of(cgroup, start, 20_000)
    assert (reading.subject, reading.verdict) == (f"cgroup /cpu/{cgroup.name}", "critical")
    assert "a quota of 0.2 CPUs" in reading.detail


def test_a_quota_that_is_enough(cgroup, start):
    (reading,) = throttling_of(cgroup, start, 150_000)
    assert (reading.value, reading.verdict) == (0.0, "ok")


def test_no_quota_is_no_reading(cgroup, start):
    assert throttling_of(cgroup, start, -1) == []


def v2(periods, throttled, usec, limit="20000 100000"):
    base = "/sys/fs/cgroup/pods/a:b"
    counts = {"usage_usec": 9, "nr_periods": periods, "nr_throttled": throttled}
    counts["throttled_usec"] = usec
    text = "".join(f"{base}/cpu.stat:{k} {v}\n" for k, v in counts.items())
    argv = ("grep", "-s", f"{base}/cpu.stat", f"{base}/cpu.max")
    return Output(argv, f"{text}{base}/cpu.max:{limit}\n".encode())


@pytest.mark.parametrize(
    ("outputs", "share", "verdict"),
    [
        ((v2(100, 1, 0), v2(110, 10, 700_000)), 0.9, "critical"),
        ((v2(100, 1, 0), v2(110, 4, 700_000)), 0.3, "warning"),
        ((v2(100, 1, 0), v2(110, 2, 700_000)), 0.1, "ok"),
        ((v2(100, 1, 0), v2(103, 4, 700_000)), 1.0, "unknown"),
        ((v2(100, 1, 0), v2(100, 1, 0)), 0.0, "ok"),
        ((v2(100, 1, 0),), 0.0, "unknown"),
    ],
    ids=["most", "some", "few", "too short", "it did not run", "read once"],
)
def test_version_2(outputs, share, verdict):
    (fact,) = cpu.read([stat(1, 1, 0, 0), *outputs])
    reading, *ever = [r for r in fact.readings if r.subject == "cgroup /pods/a:b"]
    assert (reading.value, reading.verdict) == (share, verdict)
    assert [r.value for r in ever] == ([0.01, 10.0] if len(outputs) > 1 else [])
    if share == 0.9:
        assert "9 of 10 periods, 0.7 s in all, by a quota of 0.2 CPUs" in reading.detail
    (fact,) = cpu.read([v2(1, 1, 1, limit="max 100000")] * 2)
    assert all("cgroup" not in r.subject for r in fact.readings)


ODD = """
import ctypes
ctypes.CDLL(None).prctl(15, b"\\xff) \\n(")
print("ready", flush=True)
while True: pass
"""


def test_a_program_of_an_odd_name_is_seen(start):
    program = start("-c", ODD)
    _, (fact,) = run_probe(cpu, context(program.pid))
    assert any(r.subject == f"pid {program.pid}" and r.value > 0.1 for r in fact.readings)
