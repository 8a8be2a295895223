"""deleted-file-held: a mechanism on a full disk, waste on one with room, quiet without."""

from __future__ import annotations

from dataclasses import replace

from locard.model import semconv
from locard.model.finding import Role
from locard.rules.deleted_file_held import judge
from rules.builders import case, readings

HELD = (semconv.PROCESS_DELETED_FILES, "/data (tmpfs)", 22 << 20, "warning", 24 << 20)


def test_fires_on_a_full_disk():
    full = (semconv.SYSTEM_FILESYSTEM_UTILIZATION, "/data (tmpfs)", 1.0, "critical", 1.0)
    (found,) = judge(case(readings(HELD, full)))
    assert found.role is Role.MECHANISM
    assert "22 MiB of /data (tmpfs), 92% of it" in found.title
    assert found.next_commands == ("lsof +L1",)


def test_of_a_host_it_is_told_with_the_full_disk():
    full = (semconv.SYSTEM_FILESYSTEM_UTILIZATION, "/data (tmpfs)", 1.0, "critical", 1.0)
    (found,) = judge(replace(case(readings(HELD, full)), target="host/web-17"))
    assert found.role is Role.CONTEXT
    assert "22 MiB" in found.title


def test_where_there_is_room_it_is_background():
    room = (semconv.SYSTEM_FILESYSTEM_UTILIZATION, "/data (tmpfs)", 0.4, "ok", 1.0)
    (found,) = judge(case(readings(HELD, room)))
    assert found.role is Role.CONTEXT
    assert found.against


def test_quiet_on_small_ones():
    small = (semconv.PROCESS_DELETED_FILES, "/data (tmpfs)", 2 << 20, "ok", 1 << 40)
    assert list(judge(case(readings(small)))) == []
