"""cpu-steal: background while it is noticeable, a mechanism when it is clearly bad."""

from __future__ import annotations

from locard.model.finding import Role
from locard.rules.cpu_steal import judge
from rules.builders import case, readings

NAME = "system.cpu.utilization"


def found(*every):
    return list(judge(case(readings(*every))))


def test_fires():
    (finding,) = found((NAME, "system steal", 0.08, "warning", 1.0))
    assert finding.role is Role.CONTEXT
    assert "8%" in finding.title
    (finding,) = found((NAME, "system steal", 0.4, "critical", 1.0))
    assert finding.role is Role.MECHANISM


def test_quiet_on_other_shares_and_unknown():
    assert found((NAME, "system busy", 0.99, "critical"), (NAME, "system steal", 0.01, "ok")) == []
    assert found((NAME, "system steal", 0.0, "unknown")) == []
