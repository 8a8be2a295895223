"""deploy-at-onset: fires where the version parts who is hit, and on no rollout that merely stands near."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster_answers import stood
from locard.cluster.history import versions_of
from locard.model.finding import Confidence, Role
from locard.model.log_beginning import LogBeginning
from locard.model.workload_split import rollout, split, with_states
from locard.model.workload_words import lines
from locard.rules import one_instance_affected
from locard.rules.deploy_at_onset import judge
from rules.builders import case, log
from rules.rollouts import HALF_WAY, NEW, OLD, REPLACED, summary


def test_fires_where_the_version_parts_them():
    (finding,) = judge(case(summary(NEW, OLD), HALF_WAY))
    assert finding.role is Role.MECHANISM
    assert finding.confidence is Confidence.MODERATE
    assert "new version checkout-" in finding.title
    assert "(revision 2)" in finding.title
    assert not finding.against
    assert finding.next_commands[0].startswith("kubectl rollout history ")


def test_fires_weaker_for_a_single_pod():
    (finding,) = judge(case(summary(NEW[:1], OLD), HALF_WAY))
    assert "it may be the pod" in finding.against[0].says
    assert finding.confidence is Confidence.WEAK


@pytest.mark.parametrize(
    ("hit", "spared"),
    [((*NEW, OLD[0]), OLD[1:]), (NEW, ()), (NEW[:1], NEW[1:]), ((), OLD), (NEW, ("other",))],
)
def test_quiet_where_it_does_not_part_them(hit, spared):
    assert not list(judge(case(summary(hit, spared), HALF_WAY)))


def test_quiet_where_it_began_before_the_version():
    assert not list(judge(case(summary(NEW, OLD, late=-30.0), HALF_WAY)))


def test_several_pods_of_one_version_are_no_single_instance():
    one = replace(summary(NEW, OLD), correlates=log().correlates)
    assert split(one, HALF_WAY).hit == NEW
    assert not list(one_instance_affected.judge(case(one, HALF_WAY)))


def test_a_rollout_after_the_onset_is_listed_and_not_blamed():
    late = summary((), (), late=-30.0)
    assert rollout(late, HALF_WAY).kind == "after-onset"
    (told,) = dict(lines(HALF_WAY, late))["rollout"]
    assert "26 s after the onset: it did not bring it" in told
    assert not list(judge(case(late, HALF_WAY)))
    assert rollout(summary((), (), late=5.0), HALF_WAY).kind == "before-onset"


def test_pods_that_all_began_with_the_rollout_cannot_tell():
    began = REPLACED.versions[-1].since
    bad = replace(
        log(), changed=(), onset=None, first=began + 1, last=began + 60,
        extent=replace(log().extent, requests=1000, errors=500, errors_by=("status",), statuses=2),
    )  # fmt: skip
    assert rollout(bad, REPLACED).kind == "untold"
    (told,) = dict(lines(REPLACED, bad))["rollout"]
    assert "cannot be told" in told
    assert "a caller that was not rolled" in told
    good = replace(bad, extent=replace(bad.extent, errors=0))
    assert rollout(good, REPLACED) is None  # nothing is wrong: nothing to be told of it


def test_what_is_bad_in_new_pods_alone_did_not_begin_before_them():
    early = replace(
        summary(NEW, OLD, late=-6.0),
        beginnings=(LogBeginning("started", 1.0, part=f"{NEW[0]}/app", steps=True),
                    LogBeginning("started", 1.0, part=f"{OLD[0]}/app", steps=True)),
    )  # fmt: skip
    began = min(c.started for p in HALF_WAY.pods if p.name in NEW for c in p.containers)
    found = with_states(early, HALF_WAY)
    assert found.onset.earliest == began
    assert [b.steps for b in found.beginnings] == [False, True]
    assert with_states(summary(NEW[:1], NEW[1:]), HALF_WAY).onset == summary(NEW[:1], NEW[1:]).onset


def test_a_run_that_is_in_no_line_is_a_gap():
    ended = stood("ended", "deployment/payment")
    died = next(c for c in ended.containers if c.last)
    calm = replace(
        log(), changed=(), onset=None, first=died.last.ended - 60, last=died.last.ended + 60
    )
    (gap,) = with_states(calm, ended).gaps
    assert died.ref in gap
    later = replace(calm, first=died.last.ended + 5)
    assert not with_states(later, ended).gaps
    assert not with_states(calm, replace(ended, previous=True)).gaps


def owned_by(found, owner, **changed):
    """The same pods of another owner: a stateful set, or two services that share a label."""
    pods = tuple(replace(p, owner=owner(p)) for p in found.pods)
    return replace(found, pods=pods, versions=versions_of(pods), **changed)


def test_fires_for_a_stateful_set_by_its_pods_alone():
    shards = owned_by(HALF_WAY, lambda _: "StatefulSet/checkout")
    assert [v.replicas for v in shards.versions] == [3, 2]
    (finding,) = judge(case(summary(NEW, OLD, found=shards), shards))
    assert "new version" in finding.title
    assert not finding.against


def test_quiet_for_two_services_that_share_a_label():
    both = owned_by(
        HALF_WAY,
        lambda p: f"ReplicaSet/{'api' if p.name in NEW else 'cart'}-{p.version}",
        ref="label/team=x",
    )
    assert both.versions == ()
    assert not list(judge(case(summary(NEW, OLD), both)))
