"""Which cgroups a target is in: both versions, as they are laid out on hosts and in containers."""

from __future__ import annotations

import os

import pytest

from locard.host import _files
from locard.investigate import discover
from locard.model.target import Process, Target


@pytest.fixture
def machine(tmp_path):
    """A function that lays out /proc/7/cgroup and the mounts, and gives what is found there."""
    proc, mounts = tmp_path / "proc", tmp_path / "cgroup"
    (proc / "7").mkdir(parents=True)
    target = Target("pid/7", "pid", "7", "here", (Process(7, 1, 0, 0.0, 0, "a", ("a",)),))

    def found(text, *directories, controller="memory"):
        (proc / "7" / "cgroup").write_bytes(text.encode())
        for directory in directories:
            (mounts / directory).mkdir(parents=True)
        every = discover.cgroups(target, controller, proc, mounts)
        return [d.removeprefix(str(mounts)) for d in every]

    return found


def test_version_1_beside_version_2(machine):
    text = "11:memory:/pods/pod1/a\n4:cpu,cpuacct:/pods\n1:name=systemd:/x\n0::/init.scope\n"
    found = machine(text, "memory/pods/pod1/a", "cpu,cpuacct/pods", "unified/init.scope")
    assert found == [
        "/memory/pods/pod1/a", "/memory/pods/pod1", "/memory/pods", "/memory",
        "/unified/init.scope", "/unified",
    ]  # fmt: skip
    assert machine(text, controller="cpu")[:2] == ["/cpu,cpuacct/pods", "/cpu,cpuacct"]


def test_version_2_alone(machine):
    text = "0::/system.slice/cri-containerd:abc.scope\n"
    found = machine(text, "system.slice/cri-containerd:abc.scope")
    assert found == ["/system.slice/cri-containerd:abc.scope", "/system.slice", ""]


def test_a_group_outside_of_the_namespace_or_gone_is_left_out(machine):
    assert machine("0::/../../other/pod\n", "system.slice") == [""]
    assert machine("rubbish\n\x1b[31m:::\n0::/a\x1b[31m\n") == [""]


def test_deep_groups_are_bounded(machine):
    deep = "/".join(map(str, range(40)))
    assert len(machine(f"0::/{deep}\n", deep)) == 16


def test_a_process_that_is_gone_is_in_none(tmp_path):
    target = Target("pid/7", "pid", "7", "here", (Process(7, 1, 0, 0.0, 0, "a", ("a",)),))
    assert discover.cgroups(target, "memory", tmp_path, tmp_path) == ()


def test_this_process_as_it_is():
    me = Process(os.getpid(), 1, 0, 0.0, 0, "python3", ("python3",))
    target = Target("pid/1", "pid", "1", "here", (me,))
    if not os.path.isdir("/sys/fs/cgroup"):  # noqa: PTH112 - one look
        pytest.skip("no cgroups are mounted here")
    assert discover.cgroups(target, "memory")


@pytest.mark.parametrize(
    ("directory", "version"),
    [
        ("/sys/fs/cgroup/memory/pods", 1),
        ("/sys/fs/cgroup/cpu,cpuacct/pods", 1),
        ("/sys/fs/cgroup/cpu", 1),
        ("/sys/fs/cgroup/pods/memory", 2),
        ("/sys/fs/cgroup/unified/pods", 2),
        ("/sys/fs/cgroup", 2),
    ],
)
def test_the_files_of_each_version(directory, version):
    (path,) = _files.of_version(directory, ("1",), ("2",))
    assert path == f"{directory}/{version}"
