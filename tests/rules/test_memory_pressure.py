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


HELD = ("container.memory.high", "cgroup /a.service", 42 << 20, "critical", 40 << 20)
ROOMY = ("system.memory.linux.available", "system", 12 << 30, "ok", 16 << 30)


def test_fires_where_memory_high_holds_a_group_back_and_says_that_the_host_has_room():
    (finding,) = found(ROOMY, HELD, ("system.psi.memory.full", "system", 30.0, "ok"))
    assert finding.role is Role.MECHANISM
    assert finding.title.startswith("cgroup /a.service is held back at its memory.high of ")
    assert any("the machine itself has memory" in s.says for s in finding.supports)
    assert finding.against == (), "somebody does wait"


def test_quiet_on_a_group_below_its_memory_high():
    assert found(ROOMY, (*HELD[:3], "ok", HELD[4]), CALM) == []
    assert found(ROOMY, HELD, CALM)


def test_quiet_on_swap_alone_and_on_unknown():
    assert found(("system.paging.utilization", "system", 0.9, "warning"), CALM) == []
    assert found((*LOW[:3], "unknown"), (*STALLED[:3], "unknown")) == []
