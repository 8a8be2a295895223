"""Real file systems: a full tmpfs, one without inodes, a deleted file that is held, a FUSE mount."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

import here
from locard.host import _disk, disk
from locard.model import semconv
from locard.model.target import Context
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
