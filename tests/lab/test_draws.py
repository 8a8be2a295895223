"""One seed, one world; and every world is one in which the scenario can play."""

import pytest

from locard import catalogue
from locard.lab.draws import Draws
from locard.lab.play import Casting, draw, phases

NAMES = [e.name for e in catalogue.entries("scenario")]
SEEDS = range(200)


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_repeats_its_world(name):
    assert draw(Casting(name, 7)) == draw(Casting(name, 7))
    assert phases(Casting(name, 7)) == phases(Casting(name, 7))


@pytest.mark.parametrize("name", NAMES)
def test_seeds_differ(name):
    worlds = [draw(Casting(name, seed)) for seed in SEEDS]
    assert len({repr((w.fault, w.service)) for w in worlds}) == len(SEEDS)
    assert len({repr(w.fault) for w in worlds}) > len(SEEDS) / 10
    assert len({w.service.upstreams[0].name for w in worlds}) > 5
    assert len({phases(Casting(name, seed)) for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_is_about_values_that_occur(name):
    for seed in SEEDS:
        scene = draw(Casting(name, seed))
        occurring = {
            "upstream": {u.name for u in scene.service.upstreams},
            "region": set(scene.load.shares("x-region")),
            "user_segment": set(scene.load.shares("x-user-segment")),
            "instance": set(scene.service.instances),
        }
        assert scene.truth.rules
        assert all(value in occurring[field] for field, value in scene.truth.values)


@pytest.mark.parametrize("name", NAMES)
def test_shares_add_up(name):
    for seed in SEEDS:
        scene = draw(Casting(name, seed))
        assert sum(r.share for r in scene.service.routes) == pytest.approx(1, abs=0.001)
        for _, shares in scene.load.headers:
            assert sum(share for _, share in shares) == pytest.approx(1, abs=0.001)


def test_a_topic_does_not_shift_another():
    one, other = Draws(1, "x"), Draws(1, "x")
    one.topic("a").between(0, 1)
    assert one.between(0, 1) == other.between(0, 1)
    assert one.topic("a").number() != one.topic("b").number()
