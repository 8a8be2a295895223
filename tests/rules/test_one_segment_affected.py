"""The rule for one user group, on summaries of real first passes over planted logs."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from locard.model.evidence import Evidence, Layer, Scope, Status
from locard.model.finding import Case, Role
from locard.rules import one_segment_affected as rule


def _generator():
    path = Path(__file__).parents[1] / "logs" / "planted_logs.py"
    spec = importlib.util.spec_from_file_location("planted_logs", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["planted_logs"] = module
    spec.loader.exec_module(module)
    return module


planted = _generator()


@pytest.fixture(scope="module")
def summarise(tmp_path_factory):
    def make(incident):
        path = tmp_path_factory.mktemp("logs") / "service.log"
        rows = planted.lines(11, seconds=120, incident=incident)
        return planted.summarise(str(planted.write(path, rows)))

    return make


def case(summary):
    evidence = Evidence("e1", "first-pass", Layer.LOGS, Status.OK, Scope(), (), (summary,))
    return Case("pid/1", summary.last or 0.0, (evidence,))


def test_fires_on_one_segment_in_one_region(summarise):
    hit = {"segment": "plus", "region": "eu-west"}
    summary = summarise(planted.Incident(70, affected=hit, slower=20))
    (finding,) = rule.judge(case(summary))
    assert finding.rule == "one-segment-affected"
    assert finding.role is Role.SCOPE
    assert dict(finding.values) == hit
    assert finding.explains > 0.8
    assert any("segment=free" in s.says for s in finding.supports)
    assert not finding.against


def test_fires_when_an_upstream_is_part_of_it(summarise):
    hit = {"segment": "free", "upstream": "bank"}
    summary = summarise(planted.Incident(70, affected=hit, error_rate=0.6))
    (finding,) = rule.judge(case(summary))
    assert dict(finding.values) == hit
    assert "Only segment=free" in finding.title
    assert "upstream=bank" in finding.title


def test_only_is_not_said_where_others_are_hit_too(summarise):
    summary = summarise(planted.Incident(70, affected={"segment": "plus"}, error_rate=0.5))
    (alone,) = rule.judge(case(summary))
    assert alone.title.startswith("Only segment=plus is affected")
    (one,) = summary.correlates
    other = replace(one, values=(("customer", "c03"),), share_of_excess=0.3)
    (two,) = rule.judge(case(replace(summary, correlates=(one, other))))
    assert two.title.startswith("Mainly segment=plus is affected")
    assert "also hit: customer=c03" in two.detail
    (radius,) = (r for r in summary.blast_radius if r.field == "segment")
    free = replace(radius, affected=(*radius.affected, replace(radius.affected[0], value="free")))
    (three,) = rule.judge(case(replace(summary, blast_radius=(free,))))
    assert "also hit: segment=free" in three.detail


def test_says_what_speaks_against(summarise):
    summary = summarise(planted.Incident(70, affected={"segment": "plus"}, error_rate=0.5))
    bare = replace(summary, blast_radius=())
    (finding,) = rule.judge(case(bare))
    assert "no other value of segment" in finding.against[0].says


def test_quiet_when_everyone_is_hit(summarise):
    assert not list(rule.judge(case(summarise(planted.Incident(70, error_rate=0.3)))))


def test_quiet_when_only_an_upstream_is_hit(summarise):
    summary = summarise(planted.Incident(70, affected={"upstream": "card"}, error_rate=0.3))
    assert summary.correlates
    assert not list(rule.judge(case(summary)))


def test_quiet_when_nothing_changed(summarise):
    assert not list(rule.judge(case(summarise(None))))
