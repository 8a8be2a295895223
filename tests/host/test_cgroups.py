"""Which cgroups a target is in: both versions, as they are laid out on hosts and in containers."""

from __future__ import annotations

import os

import pytest

import here
from locard.host import _files
from locard.investigate import discover
from locard.model.target import Process, Target


def test_this_process_as_it_is():
    me = Process(os.getpid(), 1, 0, 0.0, 0, "python3", ("python3",))
    target = Target("pid/1", "pid", "1", "here", (me,))
    if not os.path.isdir("/sys/fs/cgroup"):  # noqa: PTH112 - one look
        pytest.skip("no cgroups are mounted here")
    assert discover.cgroups(here.surroundings(target), "memory")


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
