"""change-at-onset: tells of a rollout near what is wrong, and is background whatever it says."""

from __future__ import annotations

from dataclasses import replace

from cluster_answers import stood
from locard.model.finding import Role
from locard.rules.change_at_onset import judge
from rules.builders import case, log
from rules.rollouts import HALF_WAY, NEW, OLD, summary

REPLACED = stood("replaced", "deployment/checkout")


def begun_with_it():
    began = REPLACED.versions[-1].since
    extent = replace(log().extent, requests=1000, errors=500, errors_by=("status",), statuses=2)
    return replace(log(), changed=(), onset=None, first=began + 1, last=began + 60, extent=extent)


def test_fires_where_it_cannot_be_told():
    (finding,) = judge(case(begun_with_it(), REPLACED))
    assert finding.role is Role.CONTEXT
    assert "whether the rollout has to do with it cannot be told" in finding.title
    assert any(s.says.startswith("gone: ") for s in finding.supports)


def test_fires_after_the_onset_and_blames_nothing():
    (finding,) = judge(case(summary(OLD, (), late=-40.0), HALF_WAY))
    assert finding.role is Role.CONTEXT
    assert "after the onset: it did not bring it" in finding.title


def test_fires_before_the_onset_with_what_speaks_against():
    (finding,) = judge(case(summary((*OLD, *NEW), (), late=9.0), HALF_WAY))
    assert "before the onset" in finding.title
    assert "2 versions are hit" in finding.against[0].says


def test_quiet_where_the_version_parts_them_or_nothing_is_wrong_or_rolled():
    assert not list(judge(case(summary(NEW, OLD), HALF_WAY)))
    good = begun_with_it()
    assert not list(judge(case(replace(good, extent=replace(good.extent, errors=0)), REPLACED)))
    assert not list(judge(case(begun_with_it(), stood("replaced", "deployment/cart"))))
