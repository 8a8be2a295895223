"""log-lines-lost: a hole in a log is told as one, with how it is known."""

from __future__ import annotations

from dataclasses import replace

from locard.model.finding import Role
from locard.model.log_holes import LogHole
from locard.rules.log_lines_lost import judge
from rules.builders import case, log

HOLE = LogHole(
    600.0, None, "exact", "pay.service", "journald", "its limit is 400 in 60 s", None, 1200, 2.0
)


def found(*holes):
    return list(judge(case(replace(log(changed=()), holes=holes))))


def test_fires_on_a_hole():
    (finding,) = found(HOLE)
    assert finding.role is Role.CONTEXT
    assert "lacks lines" in finding.title
    assert finding.against == ()


def test_fires_on_the_open_one_first_and_cites_all():
    said = replace(HOLE, since=100.0, until=200.0, how="said", lines=3160)
    (finding,) = found(said, HOLE)
    assert "suppressed 3,160 lines" in finding.supports[0].says
    assert "let 1,200 lines through" in finding.supports[1].says
    assert "How many is not told" in finding.detail


def test_fires_and_doubts_a_small_limit():
    (finding,) = found(replace(HOLE, how="likely"))
    assert "may lack lines" in finding.title
    assert finding.against


def test_quiet_without_a_hole():
    assert found() == []
    assert found(HOLE)
