"""Control groups of version 1 that tests make, and remove."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from support import wait_until

MOUNTS = Path("/sys/fs/cgroup")


class V1:
    """Makes groups, lets a process that waits for a line enter them, and removes them."""

    def __init__(self):
        self.made = []
        self.pid = 0

    def make(self, controller, limits, name="a"):
        folder = MOUNTS / controller / f"locard-{os.getpid()}-{name}"
        if not (MOUNTS / controller / "cgroup.procs").exists():
            pytest.skip(f"no cgroup version 1 with {controller}")
        folder.mkdir()
        self.made.append(folder)
        for file, value in limits.items():
            (folder / file).write_text(str(value))
        return folder

    def enter(self, process, *folders):
        """The process is in the groups before it goes on: it waits for a line, and says one."""
        self.pid = process.pid
        for folder in folders:
            (folder / "cgroup.procs").write_text(str(process.pid))
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline()

    @staticmethod
    def stat(folder):
        return {k: int(v) for k, v in map(str.split, (folder / "cpu.stat").open())}

    def remove(self):
        for folder in self.made:
            for pid in (folder / "cgroup.procs").read_text().split():
                with contextlib.suppress(OSError):
                    os.kill(int(pid), 9)
            wait_until(lambda f=folder: not (f / "cgroup.procs").read_text())
            folder.rmdir()
