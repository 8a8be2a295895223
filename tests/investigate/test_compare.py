"""Who differs from its peers: readings, findings and versions, and when nothing may be said."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from locard.investigate.compare import differences
from locard.model.evidence import Layer
from locard.model.facts import Reading, Readings
from locard.model.fleet import Member
from locard.model.place import Ground


@dataclass
class Found:
    """As much of an investigation as is compared."""

    ref: str
    values: tuple[Reading, ...] = ()
    findings: tuple = ()
    ground: Ground | None = None
    target: object = field(default_factory=lambda: SimpleNamespace(processes=()))
    layers: tuple = (SimpleNamespace(layer=Layer.HOST, status="ran"),)

    @property
    def question(self):
        return SimpleNamespace(ref=self.ref)

    def readings(self):
        yield None, Readings(self.values)


def member(n, value=None, unit="1", findings=(), kernel="6.1", **options):
    limit = options.pop("limit", None)
    readings = () if value is None else (Reading("disk", "system", value, unit, limit, "ok"),)
    unread = options.pop("unread", False)
    ground = Ground(f"h{n}", "u", 0, kernel=kernel, **options)
    found = Found(f"host/{n}", readings, findings, ground)
    if unread:
        found.layers = (SimpleNamespace(layer=Layer.HOST, status="skipped"),)
    return Member(f"host/{n}", f"host/{n}", found)


def test_the_one_whose_reading_is_far_out():
    members = [member(n, 0.30 + n / 100) for n in range(8)] + [member(8, 0.97)]
    found, over, why = differences(members)
    assert [d.member for d in found] == ["host/8"]
    assert (over, why) == (9, "")
    assert "97%" in found[0].says


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([0.30, 0.33, 0.31, 0.36, 0.29], "1"),  # scatter
        ([4, 2, 4, 4, 4], "{connection}"),  # few things that are counted
        ([0.0, 0.0, 0.0, 0.02, 0.0], "1"),  # a speck in a fleet of equals
        ([0.9, 0.9, 0.2, 0.2, 0.9, 0.2], "1"),  # two halves: nobody is the odd one
    ],
)
def test_no_outlier_is_made_of_scatter(values, unit):
    found, _, _ = differences([member(n, v, unit) for n, v in enumerate(values)])
    assert found == ()


def test_one_more_of_a_few_is_no_outlier():
    queues = [member(n, v, "{thread}", limit=2) for n, v in enumerate((2, 2, 1, 2))]
    assert differences(queues)[0] == ()
    files = [member(n, v, "{file}", limit=1024) for n, v in enumerate((20, 22, 900, 21))]
    assert [d.member for d in differences(files)[0]] == ["host/2"]


def test_several_that_are_far_out_are_not_each_alone():
    members = [member(n, 0.30) for n in range(7)] + [member(7, 0.97), member(8, 0.96)]
    found, _, _ = differences(members)
    assert {d.member for d in found} == {"host/7", "host/8"}
    assert {(d.shared, d.of) for d in found} == {(2, 9)}


def test_what_is_fine_and_lower_is_no_outlier():
    members = [member(n, 0.60) for n in range(8)] + [member(8, 0.05)]
    assert differences(members)[0] == ()


def test_a_limit_of_one():
    limits = (4096, 4096, 4096, 4096, 128)
    members = [member(n, 3, "{connection}", limit=v) for n, v in enumerate(limits)]
    (found,), _, _ = differences(members)
    assert (
        found.says == "the limit of disk (system) is 128 connection, in 4 others 4,096 connection"
    )


OOM = (SimpleNamespace(rule="oom-kill", layer=Layer.HOST, title="The OOM killer ended it"),)


def test_a_finding_counts_among_those_whose_layer_was_read():
    unread = [member(n, unread=True) for n in range(2)]
    assert differences([*unread, member(2, findings=OOM)])[0] == ()
    read = [member(n) for n in range(3, 6)]
    (found,), _, _ = differences([*unread, *read, member(2, findings=OOM)])
    assert (found.member, found.of, found.shared) == ("host/2", 4, 1)


def test_a_finding_of_one_and_a_version_of_one():
    oom = OOM
    members = [member(n) for n in range(4)] + [member(4, findings=oom, kernel="5.10")]
    found, _, _ = differences(members)
    assert {(d.member, d.what) for d in found} == {("host/4", "oom-kill"), ("host/4", "kernel")}
    everywhere = [member(n, findings=oom) for n in range(5)]
    assert differences(everywhere)[0] == ()


def test_a_clock_that_goes_wrong():
    right = [member(n, clock_ahead_s=0.01, clock_within_s=0.02) for n in range(4)]
    wrong = member(4, clock_ahead_s=-120.0, clock_within_s=0.02)
    (found,), _, _ = differences([*right, wrong])
    assert "120 s behind" in found.says


def test_nothing_is_said_of_a_fleet_of_which_too_few_were_seen():
    seen = [member(0, 0.9), member(1, 0.1)]
    missed = [Member(f"host/{n}", f"host/{n}", why="down") for n in range(2, 9)]
    found, over, why = differences([*seen, *missed])
    assert (found, over) == ((), 0)
    assert "2 of 9" in why
    assert differences([member(0, 0.1)]) == ((), 0, "")


def test_the_logs_of_a_whole_workload_are_no_peer_of_its_containers():
    whole = Member("deployment/pay", "deployment/pay", member(9, 0.99).found)
    pods = [Member(f"pod/p{n}/app", f"pod/p{n}/app", member(n, 0.3).found) for n in range(4)]
    assert differences([whole, *pods]) == ((), 4, "")
