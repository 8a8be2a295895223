from __future__ import annotations

from cluster_answers import stood
from locard.model.finding import Role, Severity
from locard.rules import pod_not_ready
from rules.builders import case


def test_fires_for_its_cause():
    (found,) = pod_not_ready.judge(case(stood("kinds", "statefulset/shard")))
    assert found.role is Role.MECHANISM
    assert found.severity in {Severity.CRITICAL, Severity.WARNING}
    assert found.supports
    assert found.next_commands[0].startswith("kubectl ")


def test_quiet_for_another_cause():
    assert not list(pod_not_ready.judge(case(stood("kinds", "deployment/alpha"))))
