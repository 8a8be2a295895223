"""oom-kill: a mechanism if it hit the target, background if it hit others."""

from __future__ import annotations

from locard.model.finding import Role, Severity
from locard.rules.oom_kill import judge
from rules.builders import case, readings

RECENT = ("system.memory.oom_kills", "system, last hour", 2, "warning")
MINE = ("container.memory.oom_kills", "cgroup /pod", 1, "warning")


def found(*every):
    return list(judge(case(readings(*every))))


def test_fires_when_it_hit_the_target():
    (finding,) = found((*RECENT[:3], "critical"), MINE)
    assert (finding.role, finding.severity) == (Role.MECHANISM, Severity.CRITICAL)


def test_fires_as_background_when_it_hit_others_or_long_ago():
    assert found(RECENT)[0].role is Role.CONTEXT
    assert found(MINE)[0].role is Role.CONTEXT


def test_quiet_on_none_and_unknown():
    assert found((*RECENT[:2], 0, "ok"), (*MINE[:2], 0, "ok")) == []
    assert found((*RECENT[:3], "unknown")) == []
