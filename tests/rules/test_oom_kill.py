"""oom-kill: a mechanism if it hit the target, background if it hit others."""

from __future__ import annotations

from cluster_answers import stood
from locard.model.finding import Role, Severity
from locard.rules.oom_kill import judge
from rules.builders import case, readings

RECENT = ("system.memory.oom_kills", "system, last hour", 2, "warning")
MINE = ("container.memory.oom_kills", "cgroup /pod", 1, "warning")


def found(*every):
    return list(judge(case(*every)))


def test_fires_when_it_hit_the_target():
    recent = readings((*RECENT[:3], "critical"), of="target")
    (finding,) = found(recent, readings(MINE, of="target"))
    assert (finding.role, finding.severity) == (Role.MECHANISM, Severity.CRITICAL)
    assert "of the target in the last hour" in finding.title


def test_fires_as_background_when_it_hit_others_or_long_ago():
    (others,) = found(readings(RECENT, of="strangers"))
    assert others.role is Role.CONTEXT
    assert "none of the target" in others.title
    assert "the host ran out" in found(readings(RECENT))[0].title
    assert found(readings(MINE, of="target"))[0].role is Role.CONTEXT


UNIT = ("system.unit.oom_kills", "unit batch.service", 3, "critical")


def test_fires_on_systemds_word_where_the_kernels_log_says_nothing():
    (finding,) = found(readings((*RECENT[:3], "unknown")), readings(UNIT, of="target"))
    assert finding.role is Role.MECHANISM
    assert "ended 3 processes of the target in the last hour" in finding.title
    (others,) = found(readings(UNIT, of="host"))
    assert others.role is Role.CONTEXT


def test_fires_once_where_both_say_it():
    recent = readings((*RECENT[:3], "critical"), of="target")
    (finding,) = found(recent, readings(UNIT, of="target"))
    assert "ended 2 processes" in finding.title
    assert len(finding.supports) == 2


def test_quiet_on_none_and_unknown():
    assert found(readings((*RECENT[:2], 0, "ok"), (*MINE[:2], 0, "ok"))) == []
    assert found(readings((*RECENT[:3], "unknown"))) == []


def test_fires_for_a_container_at_its_limit():
    (finding,) = found(stood("kinds", "deployment/hungry"))
    assert finding.role is Role.MECHANISM
    assert "at its memory limit of 24Mi" in finding.title
    assert any("last words" in s.says for s in finding.supports) is False  # none were read


def test_quiet_for_a_container_that_ended_otherwise():
    assert found(stood("ended", "deployment/worker")) == []
