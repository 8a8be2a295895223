"""Real file systems: a full tmpfs, one without inodes, a deleted file that is held, a FUSE mount."""

from __future__ import annotations

import ast
import os
import subprocess
from pathlib import Path

import pytest

import here
from locard.host import _disk, disk
from locard.model import semconv
from locard.model.evidence import Output
from locard.model.target import Context, Target
from support import needs_root, run_probe

WRITER = """
import os, sys, time
f = open(sys.argv[1] + "/trace.log", "ab")
try:
    while True: f.write(b"x" * 65536); f.flush()
except OSError: pass
if len(sys.argv) > 2: os.unlink(sys.argv[1] + "/trace.log")
print("ready", flush=True); time.sleep(300)
"""
INODES = """
import sys, time
kept = open(sys.argv[1] + "/log", "a")
try:
    for n in range(10**6): open(f"{sys.argv[1]}/{n}", "w").close()
except OSError: pass
print("ready", flush=True); time.sleep(300)
"""


def readings_of(process):
    target = here.find(f"pid/{process.pid}")
    _, facts = run_probe(disk, Context(target))
    return [r for f in facts for r in f.readings]


@pytest.fixture
def mounted(tmp_path):
    """A small tmpfs; `mounted("size=4m")`."""
    points = []

    def mount(options):
        point = tmp_path / f"m{len(points)}"
        point.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", point], check=True)
        points.append(point)
        return point

    yield mount
    for point in points:
        subprocess.run(["umount", "-l", point], check=True)


@needs_root
def test_a_full_file_system_and_the_deleted_file_that_fills_it(start, mounted):
    point = mounted("size=4m")
    found = readings_of(start("-c", WRITER, point, "delete"))
    space = next(
        r for r in found
        if r.name == semconv.SYSTEM_FILESYSTEM_UTILIZATION and str(point) in r.subject
    )  # fmt: skip
    assert (space.value, space.verdict, space.of) == (1.0, "critical", "target")
    held = next(r for r in found if r.name == semconv.PROCESS_DELETED_FILES)
    assert held.verdict == "warning"
    assert held.value == 4 << 20
    assert "trace.log" in held.detail


@needs_root
def test_no_inodes_though_there_is_space(start, mounted):
    point = mounted("size=8m,nr_inodes=200")
    found = {r.name: r for r in readings_of(start("-c", INODES, point)) if str(point) in r.subject}
    assert found[semconv.SYSTEM_FILESYSTEM_INODES].verdict == "critical"
    assert found[semconv.SYSTEM_FILESYSTEM_UTILIZATION].verdict == "ok"


def test_a_healthy_disk_is_read_and_is_ok(start):
    found = readings_of(start("idle_pool.py"))
    space = [r for r in found if r.name == semconv.SYSTEM_FILESYSTEM_UTILIZATION]
    assert space, "its current folder lies on one"
    assert not [r for r in found if r.name == semconv.PROCESS_DELETED_FILES]


def of_host():
    _, facts = run_probe(disk, Context(Target("host/local", "host", "local", "here")))
    return [r for f in facts for r in f.readings]


@needs_root
def test_of_a_host_each_file_system_has_its_own_answer(start, mounted):
    """One is full by a deleted file, one has no inodes, one is fine: three answers and no fourth."""
    full, crowded, fine = mounted("size=4m"), mounted("size=8m,nr_inodes=200"), mounted("size=4m")
    holder = start("-c", WRITER, full, "delete")
    start("-c", INODES, crowded)
    (fine / "x").write_bytes(b"x" * 1000)
    found = {
        (r.name, str(p)): r
        for r in of_host()
        for p in (full, crowded, fine)
        if f"{p} (" in r.subject
    }
    space, inodes = semconv.SYSTEM_FILESYSTEM_UTILIZATION, semconv.SYSTEM_FILESYSTEM_INODES
    assert (found[space, str(full)].verdict, found[space, str(full)].of) == ("critical", "host")
    held = found[semconv.PROCESS_DELETED_FILES, str(full)]
    assert held.value == 4 << 20
    assert f"pid {holder.pid} descriptor 3" in held.detail
    scarce = found[inodes, str(crowded)]
    assert scarce.verdict == "critical"
    assert "0 of 200 inodes free; 8.0 MiB of space are free" in scarce.detail
    assert f"{crowded} has the most entries (19" in scarce.detail
    assert all(r.verdict == "ok" for (_, p), r in found.items() if p == str(fine))


@needs_root
def test_a_mount_that_another_one_hides_is_not_asked_by_its_path(tmp_path):
    subprocess.run(["mkdir", "-p", tmp_path / "m0" / "below"], check=True)
    lower = tmp_path / "m0"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", lower / "below"], check=True)
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", lower], check=True)
        (lower / "below").mkdir()
        found = _disk.Found()
        _disk.machine(found)
        points = [s["mount"] for s in found.systems.values()]
        assert str(lower) in points
        assert str(lower / "below") not in points
    finally:
        subprocess.run(["umount", lower], check=True)
        subprocess.run(["umount", lower / "below"], check=True)


def test_a_mount_behind_a_network_mount_is_not_asked(monkeypatch):
    lines = (
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:40 / /mnt/nas rw - nfs4 far rw\n"
        "3 2 8:2 / /mnt/nas/fast rw - ext4 /dev/sdb1 rw\n4 1 0:41 / /boot rw - autofs x rw\n"
        "5 4 8:3 / /boot rw - vfat /dev/sda3 rw\n"
    )
    asked = []
    monkeypatch.setattr(_disk, "slurp", lambda path, limit=0: lines if "mountinfo" in path else "")
    monkeypatch.setattr(_disk, "is_seen", lambda _: True)
    monkeypatch.setattr(
        _disk.os, "statvfs", lambda p: asked.append(p) or os.statvfs_result((1,) * 10)
    )
    found = _disk.Found()
    _disk.machine(found)
    assert sorted(asked) == ["/", "/boot"], "an automount that is mounted is over"
    told = {s["mount"]: s["type"] for s in found.systems.values() if "not_asked" in s}
    assert told == {"/mnt/nas": "nfs4", "/mnt/nas/fast": "nfs4"}


def test_processes_that_may_not_be_looked_at_are_told():
    """As an ordinary user: a deleted file of another's is not seen, and not denied."""
    text = '{"unseen": 41}\n{"end": 1}\n'
    (fact,) = disk.read([Output(("python3", "-I", "-S", "-"), text.encode())])
    (found,) = fact.readings
    assert (found.name, found.verdict) == (semconv.PROCESS_DELETED_FILES, "unknown")
    assert "of 41 processes the open files could not be looked at" in found.detail
    assert disk.read([Output(("python3", "-I", "-S", "-"), b'{"end": 1}\n')]) == ()


SPARE = (
    '{"mount": "/srv/spare", "type": "ext4", "paths": ["/srv/spare/x"], "pids": [7], "fs": "7:2",'
    ' "blocks": 33519, "avail": 2, "free": 12290, "used": 20410, "block": 1024, "files": 10240, "free_files": 10227,'
    ' "root_only": %s}\n'
)


def space(text, argv=("python3", "-", "7")):
    (fact,) = disk.read([Output(argv, text.encode())])
    return fact.readings[0]


def test_what_is_kept_for_root_is_told():
    """For ordinary users it is full; a service of root's may still write."""
    found = space(SPARE % "false")
    assert (found.value, found.verdict) == (0.9999, "critical")
    assert "root may still write 12 MiB" in found.detail
    roots = space(SPARE % "true")
    assert roots.verdict == "warning"
    assert "all processes that write there are root's" in roots.detail


def test_what_ext4_keeps_for_itself_is_no_reserve_of_roots(monkeypatch):
    """It counts as free, and root may not write it: made with -m 0, and full for root as well."""
    monkeypatch.setattr(
        _disk, "slurp", lambda path, limit=0: "1228\n" if "/sys/fs/ext4/loop0/" in path else ""
    )
    says = os.statvfs_result((1024, 1024, 52197, 1228, 0, 15360, 15345, 15345, 0, 255))
    monkeypatch.setattr(_disk.os, "statvfs", lambda _: says)
    line = "52 28 7:0 / /srv/data rw - {} /dev/loop0 rw"
    entry = _disk.Found().ask(_disk.Mount(line.format("ext4")), "/srv/data")
    assert (entry["free"], entry["used"]) == (0, 50969)
    assert _disk.Found().ask(_disk.Mount(line.format("xfs")), "/srv/data")["free"] == 1228


def test_a_reserve_is_no_use():
    """As df counts: what is kept for root is neither used nor free."""
    half = SPARE.replace('"avail": 2,', '"avail": 20410,').replace("12290", "30000") % "false"
    assert space(half).value == pytest.approx(0.5)
    assert space(half).verdict == "ok"


def test_a_network_or_fuse_mount_is_never_asked(monkeypatch):
    def never(_):
        raise AssertionError("it was asked")

    monkeypatch.setattr(_disk.os, "statvfs", never)
    for kind in ("nfs4", "cifs", "fuse.sshfs", "9p", "ceph", "autofs"):
        mount = _disk.Mount(f"36 35 0:50 / /mnt/a\\040b rw,noatime shared:1 - {kind} far rw")
        found = _disk.Found()
        found.add(7, mount, "/proc/7/fd/3", "/mnt/a b/x")
        assert found.systems["0:50"]["not_asked"] == "0:50"
        assert found.systems["0:50"]["mount"] == "/mnt/a b"
    local = _disk.Mount("36 35 8:1 / / rw - ext4 /dev/sda1 rw")
    with pytest.raises(AssertionError, match="asked"):
        _disk.Found().add(7, local, "/proc/7/fd/3", "/x")


def test_the_reader_runs_on_python_3_6():
    ast.parse(Path(_disk.__file__).read_text("utf-8"), feature_version=(3, 6))
