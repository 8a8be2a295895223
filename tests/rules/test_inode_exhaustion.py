"""inode-exhaustion: fires where no file can be made, quiet where inodes are left."""

from __future__ import annotations

from locard.model import semconv
from locard.model.finding import Role
from locard.rules.inode_exhaustion import judge
from rules.builders import case, readings


def test_fires_on_a_file_system_without_inodes():
    bad = (semconv.SYSTEM_FILESYSTEM_INODES, "/var (ext4)", 1.0, "critical", 1.0)
    (found,) = judge(case(readings(bad)))
    assert found.role is Role.MECHANISM
    assert found.next_commands[0] == "df -i /var"


def test_quiet_where_inodes_are_left():
    healthy = (semconv.SYSTEM_FILESYSTEM_INODES, "/var (ext4)", 0.1, "ok", 1.0)
    full = (semconv.SYSTEM_FILESYSTEM_UTILIZATION, "/var (ext4)", 1.0, "critical", 1.0)
    assert list(judge(case(readings(healthy, full)))) == []
