"""Waits for a CPU, on threads that are kept from running on purpose."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from observing_support import observing, working

from locard.kernel.programs import run_queue
from support import needs_root, wait_until

pytestmark = needs_root

_BUSY = """
os.sched_setaffinity(0, {int(sys.argv[1])})
def called(name):
    with open("/proc/thread-self/comm", "w") as f: f.write(name)
ready()
rivals = []
for k in range(int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        called("rival")
        os.setpriority(os.PRIO_PROCESS, 0, 0)
        until = time.monotonic() + 1.2
        while time.monotonic() < until: pass
        os._exit(0)
    rivals.append(pid)
called("victim")
until, used = time.monotonic() + 1.0, time.thread_time()
while time.monotonic() < until: pass
used = time.thread_time() - used
for pid in rivals: os.waitpid(pid, 0)
tell(waited=1.0 - used)
"""


def _cpu():
    return max(os.sched_getaffinity(0))


def _victims(trace):
    return [r for r in trace.rows if r.what == "waited for a CPU" and r.thread == "victim"]


def test_who_ran_instead():
    with working(_BUSY, _cpu(), 2) as target, observing(run_queue, target.pid) as seen:
        truth = json.loads(target.go())
    trace = seen.trace
    assert not trace.partial, trace.problem
    (victim,) = _victims(trace)
    assert victim.tid == target.pid
    assert truth["waited"] > 0.3
    assert truth["waited"] * 0.8 < victim.total_s < truth["waited"] * 1.2 + 0.3
    assert "put aside while running" in victim.detail
    instead = {r.what: r for r in trace.rows if r.result == "ran instead"}
    assert instead["rival"].total_s > 0.1
    top = max(instead.values(), key=lambda r: r.total_s)  # on a busy machine it may be a stranger
    own = " (of the target itself)" if top.what == "rival" else ""
    assert f"longest behind {top.what}{own}" in trace.says


_CALM = """
os.sched_setaffinity(0, {int(sys.argv[1])})
ready()
for k in range(200): time.sleep(0.002)
tell()
"""


def test_a_calm_thread_waits_little():
    with working(_CALM, _cpu()) as target, observing(run_queue, target.pid) as seen:
        target.go()
    (row,) = [r for r in seen.trace.rows if r.tid == target.pid and r.what == "waited for a CPU"]
    assert 200 <= row.count < 300
    assert row.p50_s < 0.002
    assert "CPU limit" not in seen.trace.says
    assert not any("CPU limit" in r.detail for r in seen.trace.rows)


@contextlib.contextmanager
def limited(*pids):
    folder = Path(f"/sys/fs/cgroup/cpu/locard-{os.getpid()}")
    try:
        folder.mkdir()
        (folder / "cpu.cfs_period_us").write_text("50000")
        (folder / "cpu.cfs_quota_us").write_text("10000")
    except OSError as why:
        pytest.skip(f"cgroup v1 cpu: {why}")
    for pid in pids:
        (folder / "cgroup.procs").write_text(str(pid))
    try:
        yield folder.name
    finally:
        wait_until(lambda: not (folder / "cgroup.procs").read_text().split())
        folder.rmdir()


def test_a_cpu_limit_is_told():
    with working(_BUSY, _cpu(), 0) as target, limited(target.pid) as group:
        with observing(run_queue, target.pid) as seen:
            target.go()
        target.close()
    (limit,) = [r for r in seen.trace.rows if r.result == "throttled"]
    assert limit.what == f"CPU limit of cgroup /{group}"
    assert limit.count > 5
    assert f"the CPU limit of cgroup /{group} stopped it" in seen.trace.says
    share = int(re.search(r"at least (\d+) % of what its threads waited", limit.detail)[1])
    assert share >= 50  # one thread on a CPU with 20 % of it: most of its waits are the limit's
    waits = [r for r in seen.trace.rows if r.what == "waited for a CPU" and not r.result]
    assert all("throttling included" in r.detail for r in waits)
    behind = [r for r in seen.trace.rows if r.result == "ran instead"]
    assert behind
    assert all("throttling included" in r.detail for r in behind)


def test_of_a_cgroup_that_others_share_no_share_is_told():
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        with working(_BUSY, _cpu(), 0) as target, limited(target.pid, stranger.pid):
            with observing(run_queue, target.pid) as seen:
                target.go()
            target.close()
            stranger.kill()
            stranger.wait()
    finally:
        stranger.kill()
    (limit,) = [r for r in seen.trace.rows if r.result == "throttled"]
    assert "other processes are in it" in limit.detail
    assert "at least" not in limit.detail
