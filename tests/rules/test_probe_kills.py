from __future__ import annotations

from cluster_answers import stood
from locard.model.finding import Role, Severity
from locard.rules import probe_kills
from rules.builders import case


def test_fires_for_its_cause():
    (found,) = probe_kills.judge(case(stood("kinds", "deployment/deaf")))
    assert found.role is Role.MECHANISM
    assert found.severity in {Severity.CRITICAL, Severity.WARNING}
    assert found.supports
    assert found.next_commands[0].startswith("kubectl ")


def test_quiet_for_another_cause():
    assert not list(probe_kills.judge(case(stood("kinds", "deployment/hungry"))))
