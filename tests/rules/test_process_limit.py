"""process-limit: a mechanism at the limit or where the log says so, quiet with room."""

from __future__ import annotations

from locard.model import semconv
from locard.model.finding import Role
from locard.rules.process_limit import judge
from rules.builders import case, log, message, readings

NEAR = (semconv.CONTAINER_TASKS, "cgroup /pids/pod1", 97, "critical", 100)


def test_fires_where_threads_cannot_begin():
    said = log(messages=(message("RuntimeError: can't start new thread"),))
    (found,) = judge(case(said, readings(NEAR)))
    assert found.role is Role.MECHANISM
    assert found.title == "cgroup /pids/pod1 has 97 of 100 processes and threads"
    assert found.next_commands == ("grep -s '' /sys/fs/cgroup/pids/pod1/pids.*",)
    (found,) = judge(case(readings((*NEAR[:2], 100, "critical", 100))))
    assert found.role is Role.MECHANISM


def test_near_the_limit_is_background():
    (found,) = judge(case(log(), readings(NEAR)))
    assert found.role is Role.CONTEXT


def test_quiet_with_room():
    room = (semconv.PROCESS_USER_TASKS, "uid 33", 10, "ok", 100)
    said = log(messages=(message("RuntimeError: can't start new thread"),))
    assert list(judge(case(said, readings(room)))) == []
