"""memory-pressure: pressure and limits make it a mechanism, a low number alone does not."""

from __future__ import annotations

from locard.model.finding import Role
from locard.rules.memory_pressure import judge
from rules.builders import case, readings

LOW = ("system.memory.linux.available", "system", 1 << 30, "critical", 16 << 30)
CALM = ("system.psi.memory.full", "system", 0.0, "ok")
STALLED = ("system.psi.memory.full", "system", 30.0, "critical")
LIMIT = ("container.memory.working_set", "cgroup /pod", 99 << 20, "critical", 100 << 20)


def found(*every):
    return list(judge(case(readings(*every))))


def test_fires_under_pressure():
    (finding,) = found(LOW, STALLED)
    assert finding.role is Role.MECHANISM


def test_fires_at_the_limit_of_a_cgroup():
    (finding,) = found(LIMIT, CALM)
    assert finding.role is Role.MECHANISM
    assert "cgroup /pod" in finding.title


def test_fires_as_background_if_nobody_waits():
    (finding,) = found(LOW, CALM)
    assert finding.role is Role.CONTEXT
    assert "nobody waits for it" in finding.against[0].says


def test_quiet_on_swap_alone_and_on_unknown():
    assert found(("system.paging.utilization", "system", 0.9, "warning"), CALM) == []
    assert found((*LOW[:3], "unknown"), (*STALLED[:3], "unknown")) == []
