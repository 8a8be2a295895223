"""restart-loop: systemd's restarts within the hour; behind OOM kills it is what they look like."""

from __future__ import annotations

from cluster_answers import stood
from locard.model.finding import Role, Severity
from locard.rules import restart_loop
from locard.rules.restart_loop import judge
from rules.builders import case, readings

LOOP = ("system.unit.restarts", "unit batch.service", 9, "critical")
KILLS = ("system.memory.oom_kills", "the target's cgroups, last hour", 9, "critical")


def found(*every, of="target"):
    return list(judge(case(readings(*every, of=of))))


def test_fires_as_the_mechanism():
    (finding,) = found(LOOP)
    assert finding.role is Role.MECHANISM
    assert finding.title == "systemd restarted batch.service 9 times in the last hour"


def test_fires_behind_kills_for_memory():
    (finding,) = found(LOOP, KILLS)
    assert finding.role is Role.CONTEXT
    assert any("OOM" in s.says for s in finding.supports)


def test_fires_behind_what_systemd_says_of_memory():
    (finding,) = found(LOOP, ("system.unit.oom_kills", "unit batch.service", 9, "critical"))
    assert finding.role is Role.CONTEXT
    (other,) = found(LOOP, ("system.unit.oom_kills", "unit other.service", 9, "critical"))
    assert other.role is Role.MECHANISM


def test_fires_on_a_single_restart_and_doubts_it():
    (finding,) = found((*LOOP[:2], 1, "warning"))
    assert finding.role is Role.CONTEXT
    assert "a single restart" in finding.against[0].says


def test_quiet_on_none():
    assert found((*LOOP[:2], 0, "ok")) == []
    assert found(LOOP)


def test_fires_for_its_cause():
    (found,) = restart_loop.judge(case(stood("ended", "deployment/worker")))
    assert found.role is Role.MECHANISM
    assert found.severity in {Severity.CRITICAL, Severity.WARNING}
    assert found.supports
    assert found.next_commands[0].startswith("kubectl ")


def test_quiet_for_another_cause():
    assert not list(restart_loop.judge(case(stood("ended", "deployment/payment"))))
