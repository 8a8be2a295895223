"""disk-full: a mechanism where nothing fits any more, quiet where there is room."""

from __future__ import annotations

from locard.model import semconv
from locard.model.finding import Role
from locard.rules.disk_full import judge
from rules.builders import case, log, message, readings

FULL = (semconv.SYSTEM_FILESYSTEM_UTILIZATION, "/data (tmpfs)", 1.0, "critical", 1.0)
NEARLY = (semconv.SYSTEM_FILESYSTEM_UTILIZATION, "/data (ext4)", 0.93, "warning", 1.0)
HELD = (semconv.PROCESS_DELETED_FILES, "/data (tmpfs)", 22e6, "warning", 25e6)


def test_fires_on_a_full_one_with_the_deleted_file_and_the_log():
    said = log(messages=(message("store failed: No space left on device"),))
    (found,) = judge(case(said, readings(FULL, HELD)))
    assert found.role is Role.MECHANISM
    assert "/data (tmpfs)" in found.title
    assert "100%" in found.title
    assert found.next_commands[0] == "lsof +L1"
    assert len(found.supports) == 3


def test_nearly_full_is_background():
    (found,) = judge(case(readings(NEARLY)))
    assert found.role is Role.CONTEXT
    assert found.next_commands[0] == "df -h /data"


def test_fires_once_for_each_that_is_full():
    other = (semconv.SYSTEM_FILESYSTEM_UTILIZATION, "/srv (ext4)", 1.0, "critical", 1.0)
    first, second = judge(case(readings(FULL, other, HELD)))
    assert "/data (tmpfs)" in first.title
    assert "lsof +L1" in first.next_commands
    assert "lsof +L1" not in second.next_commands
    assert len(second.supports) == 1


def test_quiet_with_room():
    healthy = (semconv.SYSTEM_FILESYSTEM_UTILIZATION, "/ (ext4)", 0.5, "ok", 1.0)
    assert list(judge(case(readings(healthy)))) == []
    assert list(judge(case())) == []
