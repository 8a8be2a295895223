"""Fires where workers are lost and replaced; a reload is background; a steady family is quiet."""

from __future__ import annotations

from locard.model import semconv
from locard.model.facts import ProcessAge, ProcessChange, ProcessFamily
from locard.model.finding import Role
from locard.rules import worker_restarts
from rules.builders import case, log, message, readings


def family(*ages, changes=()):
    """The root is 500 s old at the time of the case (1000.0); each age is a worker's in seconds."""
    root = ProcessAge(7, 1, "gunicorn", 500.0, 0.0)
    workers = [ProcessAge(10 + n, 7, "gunicorn", 1000.0 - a, 500.0 - a) for n, a in enumerate(ages)]
    return ProcessFamily((root, *workers), tuple(changes))


ENDED = ProcessChange(9, None, "gunicorn", "ended", None)
BEGAN = ProcessChange(10, 7, "gunicorn", "began", 998.0)
TIMEOUT = log(messages=(message("[CRITICAL] WORKER TIMEOUT (pid:9)", after=4),))


def test_fires_on_workers_that_their_master_killed():
    (found,) = worker_restarts.judge(case(TIMEOUT, family(2, 499, changes=(ENDED, BEGAN))))
    assert found.role is Role.MECHANISM
    assert "1 ended and 1 began" in found.title
    assert any("1 of 2 workers is 2 s old, their parent 500 s" in s.says for s in found.supports)
    assert any("WORKER TIMEOUT" in s.says for s in found.supports)


def test_fires_on_children_that_the_kernel_killed():
    kills = readings((semconv.CONTAINER_OOM_KILLS, "cgroup /a", 5.0, "warning"))
    (found,) = worker_restarts.judge(case(log(), family(20, 60), kills))
    assert found.role is Role.MECHANISM


def test_fires_on_a_target_that_was_restarted_as_a_whole():
    root = ProcessAge(20, 1, "shopd", 998.0, 0.0)
    changes = (ENDED, ProcessChange(20, 1, "shopd", "began", 998.0))
    (found,) = worker_restarts.judge(case(ProcessFamily((root,), changes)))
    assert "was restarted" in found.title
    assert "pid 20" in found.title


def test_kills_for_memory_are_the_mechanism_behind_it():
    kills = readings((semconv.SYSTEM_OOM_KILLS, "the target's", 5.0, "critical"), of="target")
    (found,) = worker_restarts.judge(case(TIMEOUT, family(20, 60), kills))
    assert found.role is Role.CONTEXT


def test_a_reload_is_background():
    reload = log(messages=(message("Handling signal: hup"), message("Worker exiting (pid: 9)")))
    (found,) = worker_restarts.judge(case(reload, family(45)))
    assert found.role is Role.CONTEXT
    assert found.against


def test_quiet_on_a_steady_family():
    assert list(worker_restarts.judge(case(TIMEOUT, family(499, 499)))) == []
    assert list(worker_restarts.judge(case(TIMEOUT))) == []
    assert list(worker_restarts.judge(case(log(), family(499, changes=(BEGAN,))))) == []
