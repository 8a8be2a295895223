"""Requests to disks by device and sender, on a loop device of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path

import pytest
from observing_support import observing, working

from locard.kernel.programs import disk_latency
from support import needs_root, wait_until

pytestmark = needs_root

_DIRECT = """
import mmap
f = os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)
page = mmap.mmap(-1, 4096)
ready()
took = []
for k in range(50):
    t = time.monotonic(); os.preadv(f, [page], k * 4096); took.append(time.monotonic() - t)
for k in range(int(sys.argv[2])):
    t = time.monotonic(); os.pwrite(f, page, k * 4096); took.append(time.monotonic() - t)
tell(slowest=max(took))
"""


@pytest.fixture
def disk(tmp_path):
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    done = subprocess.run(
        ["losetup", "-f", "--show", str(image)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"losetup: {done.stderr.strip()}")
    device = done.stdout.strip()
    yield device
    subprocess.run(["losetup", "-d", device], check=True)


@contextlib.contextmanager
def limited(device, pid, writes_per_s):
    """A cgroup of version 1 with a limit, which the process joins."""
    folder = Path(f"/sys/fs/cgroup/blkio/locard-{os.getpid()}")
    number = Path(device).stat().st_rdev
    try:
        folder.mkdir()
        rule = f"{os.major(number)}:{os.minor(number)} {writes_per_s}"
        (folder / "blkio.throttle.write_iops_device").write_text(rule)
    except OSError as why:
        pytest.skip(f"cgroup v1 blkio: {why}")
    (folder / "cgroup.procs").write_text(str(pid))
    try:
        yield folder.name
    finally:
        wait_until(lambda: not (folder / "cgroup.procs").read_text().split())
        folder.rmdir()


def test_the_devices_own_requests(disk):
    name = Path(disk).name
    with working(_DIRECT, disk, 20) as target, observing(disk_latency, target.pid) as seen:
        truth = json.loads(target.go())
    trace = seen.trace
    assert not trace.partial, trace.problem
    own = {
        r.detail.split(";")[0]: r
        for r in trace.rows
        if r.what == name and "of the target" in r.detail
    }
    assert own["read"].count == 50
    assert own["read"].bytes == 50 * 4096
    assert own["write"].count == 20
    assert own["read"].pid == target.pid
    assert max(r.max_s for r in own.values()) <= truth["slowest"]
    assert "70 by the target" in trace.says
    assert "limit" not in trace.says


def test_a_limit_of_the_cgroup_is_no_slow_device(disk):
    name = Path(disk).name
    with working(_DIRECT, disk, 10) as target, limited(disk, target.pid, 10) as group:
        with observing(disk_latency, target.pid) as seen:
            truth = json.loads(target.go())
        target.close()
    assert truth["slowest"] > 0.05  # it was held back
    trace = seen.trace
    writes = [
        r
        for r in trace.rows
        if r.what == name and r.detail.startswith("write") and r.result == "ok"
    ]
    assert sum(r.count for r in writes) == 10
    assert max(r.max_s for r in writes) < truth["slowest"] / 2
    assert any(f"for cgroup /{group}" in r.detail for r in writes)
    assert f"the target's cgroup has a limit on {name}: write_iops 10" in trace.says
