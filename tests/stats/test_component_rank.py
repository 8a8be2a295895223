"""Ranking components: made-up services whose cause is known, and data that says nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from locard.stats.component_rank import Measure, rank_components
from locard.stats.intervals import wilson

SEEDS = range(12)
# front calls a and b, a calls c, c calls the database, b calls d.
CALLS = [("front", "a"), ("front", "b"), ("a", "c"), ("b", "d"), ("c", "db")]
NAMES = ["front", "a", "b", "c", "d", "db"]


class Service:
    """Noisy series of six components: `calm` samples of baseline and then `bad` of an incident."""

    def __init__(self, seed: int, calm: int = 60, bad: int = 5):
        self.rng = np.random.default_rng(seed)
        self.onset, self.size = calm, calm + bad
        self.series = {}
        for name in NAMES:
            self.series[name, "latency"] = self.noise(0.1 if name == "front" else 0.02)
            self.series[name, "traffic"] = self.noise(100)
            self.series[name, "errors"] = np.zeros(self.size)

    def noise(self, level, spread=0.05):
        return level * (1 + spread * self.rng.standard_normal(self.size))

    def profile(self):
        """How bad it is in each sample: never twice the same, as nobody's incident is flat."""
        shape = np.zeros(self.size)
        shape[self.onset :] = self.rng.uniform(0.4, 1, self.size - self.onset)
        return shape

    def add(self, names, kind, amount):
        for name in names:
            self.series[name, kind] = self.series[name, kind] + amount

    def rank(self, calls=CALLS, symptom=("front", "latency")):
        measures = [Measure(name, kind, v) for (name, kind), v in self.series.items()]
        return rank_components(measures, self.series[symptom], self.onset, calls=calls)


def first(ranked):
    return ranked[0].component


def place(ranked, name):
    return [r.component for r in ranked].index(name)


@pytest.mark.parametrize(("calm", "bad"), [(20, 5), (60, 3), (600, 5), (240, 40)])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cause", ["db", "c", "a"])
def test_a_slow_callee_and_not_those_that_wait_for_it(seed, cause, calm, bad):
    service = Service(seed, calm, bad)
    slow = {"db": ["db", "c", "a", "front"], "c": ["c", "a", "front"], "a": ["a", "front"]}[cause]
    service.add(slow, "latency", 0.2 * service.profile())
    ranked = service.rank()
    assert first(ranked) == cause
    # Those that wait for it keep next to nothing.
    assert ranked[0].score > 3 * ranked[place(ranked, "front")].score


@pytest.mark.parametrize("seed", SEEDS)
def test_the_symptoms_component_itself(seed):
    service = Service(seed)
    service.add(["front"], "latency", 0.2 * service.profile())
    assert first(service.rank()) == "front"
    assert first(service.rank(calls=())) == "front"


@pytest.mark.parametrize("seed", SEEDS)
def test_errors_that_callers_hand_on(seed):
    service = Service(seed)
    service.add(["d", "b", "front"], "errors", 0.05 * service.profile())
    # Others have always failed, now more and now less, which does not make d unsteady.
    for name in ("a", "db"):
        service.series[name, "errors"] = np.clip(service.noise(0.4, 0.3), 0, 1)
    service.series["c", "errors"] = np.abs(service.noise(0.002, 0.5))
    assert first(service.rank(symptom=("front", "errors"))) == "d"


@pytest.mark.parametrize("seed", SEEDS)
def test_what_gets_slower_beside_errors_is_not_their_cause(seed):
    """Component a refuses the cheap requests, so that those that still reach c are slower ones."""
    service = Service(seed)
    bad = service.profile()
    service.add(["a"], "errors", 0.05 * bad)
    service.add(["front"], "errors", 0.04 * bad)
    service.add(["c"], "latency", 0.015 * bad)
    service.series["d", "errors"] = np.abs(service.noise(0.002, 0.5))
    assert first(service.rank(symptom=("front", "errors"))) == "a"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_callee_of_which_the_callers_lose_patience(seed):
    service = Service(seed)
    bad = service.profile()
    service.add(["db"], "latency", 0.5 * bad)
    service.add(["c", "a", "front"], "errors", 0.05 * bad)
    assert first(service.rank(symptom=("front", "errors"))) == "db"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_surge_begins_where_requests_enter(seed):
    service = Service(seed)
    surge = service.profile()
    service.add(NAMES, "traffic", 300 * surge)
    service.add(["db", "c", "a", "front"], "latency", 0.1 * surge**2)  # the database has had enough
    ranked = service.rank()
    assert first(ranked) == "front"
    assert ranked[0].because.startswith("its traffic")


@pytest.mark.parametrize("seed", SEEDS)
def test_retries_are_no_surge(seed):
    service = Service(seed)
    bad = service.profile()
    service.add(["db", "c", "a", "front"], "latency", 0.2 * bad)
    service.add(["db"], "traffic", 200 * bad)  # c asks again, nobody asks c more
    assert first(service.rank()) == "db"


@pytest.mark.parametrize("seed", SEEDS)
def test_of_two_changes_the_one_that_goes_with_the_symptom(seed):
    service = Service(seed, bad=8)
    bad = service.profile()
    service.add(["db", "c", "a", "front"], "latency", 0.1 * bad)
    least = (bad > 0) & (bad < np.median(bad[service.onset :]))
    service.series["d", "saturation"] = service.noise(20) + 1e6 * least  # a queue, far wider
    assert first(service.rank()) == "db"
    assert first(service.rank(calls=())) in {"db", "c", "a", "front"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_large_change_of_a_noisy_component_is_nothing(seed):
    service = Service(seed)
    service.add(["a", "front"], "latency", 0.05 * service.profile())
    wild = np.exp(service.rng.normal(0, 1.2, service.size))
    wild[service.onset :] = np.sort(wild)[-20 : -20 + service.size - service.onset]
    service.series["d", "latency"] = wild  # several times its median, as often before
    assert first(service.rank(calls=())) in {"a", "front"}
    assert first(service.rank()) == "a"


@pytest.mark.parametrize("seed", SEEDS)
def test_bursts_as_ever_are_nothing(seed):
    service = Service(seed)
    bad = service.profile()
    service.add(["front", "a"], "latency", 0.05 * bad)
    service.series["d", "latency"][5 : service.onset : 12] += 0.5
    service.series["d", "latency"][int(np.argmax(bad))] += 0.5
    assert first(service.rank()) == "a"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_glitch_in_the_baseline_hides_nothing(seed):
    service = Service(seed)
    service.add(["db", "c", "a", "front"], "latency", 0.2 * service.profile())
    service.series["db", "latency"][20] = 1e6
    assert first(service.rank()) == "db"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_thousandth_more_is_nothing_however_steady_it_was(seed):
    service = Service(seed)
    bad = service.profile()
    service.add(["front", "a"], "latency", 0.05 * bad)
    service.series["d", "saturation"] = service.noise(1, spread=1e-5) * (1 + 0.001 * bad)
    ranked = service.rank()
    assert first(ranked) == "a"
    assert "nothing" in ranked[place(ranked, "d")].because


def test_three_samples_are_hardly_a_baseline():
    """Of many healthy components that are almost new few get much evidence."""
    high = 0
    for seed in range(200):
        service = Service(seed)
        service.add(["front"], "latency", 0.05 * service.profile())
        service.series["d", "saturation"] = service.noise(1, spread=0.5)
        service.series["d", "saturation"][: service.onset - 3] = np.nan
        ranked = service.rank(calls=())
        high += ranked[place(ranked, "d")].score > 0.25 * ranked[0].score
    assert high <= 10


@pytest.mark.parametrize("seed", SEEDS)
def test_of_like_changes_the_symptoms_own_component_comes_last(seed):
    service = Service(seed)
    service.series["d", "latency"] = service.noise(0.1)
    service.add(["front", "d"], "latency", 0.2 * service.profile())
    ranked = service.rank(calls=())
    assert [r.component for r in ranked[:2]] == ["d", "front"]


@pytest.mark.parametrize("seed", SEEDS)
def test_without_calls_trouble_goes_before_traffic(seed):
    service = Service(seed)
    bad = service.profile()
    service.add(["front", "a"], "latency", 0.1 * bad)
    service.add(["b"], "traffic", 500 * bad)  # as likely asked for more as the cause
    ranked = service.rank(calls=())
    assert place(ranked, "a") < place(ranked, "b") <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_symptom_that_hardly_shows_does_not_choose(seed):
    """Its noise follows a small change of one component, and the large one of the other less."""
    service = Service(seed)
    service.add(["c"], "latency", 0.4 * service.profile())
    follows = service.series["front", "latency"] / 0.1 - 1
    service.series["d", "saturation"] = service.noise(1, spread=0.02) + 1.5 * follows
    assert first(service.rank(calls=())) == "c"


@pytest.mark.parametrize("seed", SEEDS)
def test_of_two_that_go_as_well_with_it_the_earlier(seed):
    service = Service(seed, bad=19)
    at = np.arange(service.size) - service.onset
    for name, shift in (("d", 3), ("front", 0), ("c", -3)):
        hill = np.maximum(0.0, 1 - np.abs(at - 9 - shift) / 5)
        service.series[name, "latency"] = service.noise(0.1) + hill * (at >= 0)
    ranked = service.rank(calls=())
    assert place(ranked, "c") < place(ranked, "d")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_few_slow_calls_cannot_explain_many_slow_requests(seed):
    service = Service(seed)
    bad = service.profile()
    service.add(["front", "a"], "latency", 0.1 * bad)
    service.series["d", "traffic"] = service.noise(1)
    service.add(["d"], "latency", 0.3 * bad)  # three times as much slower, a hundredth of the calls
    ranked = service.rank(calls=())
    assert place(ranked, "a") < place(ranked, "d")
    assert "accounts for 3%" in ranked[place(ranked, "d")].because


@pytest.mark.parametrize("seed", SEEDS)
def test_what_moves_after_the_symptom_is_less_likely(seed):
    service = Service(seed, bad=10)
    bad = np.zeros(service.size)
    bad[service.onset :] = 1.0
    late = np.roll(bad, 4) * (np.arange(service.size) >= service.onset)
    service.add(["front", "c"], "latency", 0.1 * bad)
    service.add(["d"], "latency", 0.1 * late)
    ranked = service.rank()
    assert first(ranked) == "c"
    assert "4 samples later" in ranked[place(ranked, "d")].because


@pytest.mark.parametrize("seed", SEEDS)
def test_the_noise_on_a_flat_incident_says_nothing(seed):
    service = Service(seed, bad=8)
    service.add(["db", "c", "a", "front"], "latency", 0.1 * (service.profile() > 0))
    assert first(service.rank()) == "db"


@pytest.mark.parametrize("seed", SEEDS)
def test_an_earlier_incident_in_the_baseline_does_not_hide_it(seed):
    service = Service(seed)
    service.series["db", "latency"][10:14] += 0.3
    service.add(["db", "c", "a", "front"], "latency", 0.2 * service.profile())
    assert first(service.rank()) == "db"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_callee_without_measures_is_seen_through(seed):
    service = Service(seed)
    service.add(["db", "c", "a", "front"], "latency", 0.2 * service.profile())
    for kind in ("latency", "traffic", "errors"):
        del service.series["c", kind]
    ranked = service.rank()
    assert first(ranked) == "db"
    assert "db explains most" in ranked[place(ranked, "a")].because


@pytest.mark.parametrize("seed", SEEDS)
def test_calls_in_a_circle_explain_nothing_away(seed):
    service = Service(seed)
    service.add(["db", "c", "a", "front"], "latency", 0.2 * service.profile())
    assert first(service.rank(calls=[*CALLS, ("c", "b"), ("b", "c")])) == "db"
    circle = service.rank(calls=[("front", "c"), ("db", "c"), ("c", "db")])
    assert {r.component for r in circle[:2]} == {"db", "c"}
    assert all("explains" not in r.because for r in circle[:2])


def test_a_healthy_service_is_ranked_by_chance_alone():
    """Nobody comes first too often: 120 quiet services of six like components."""
    firsts = []
    for seed in range(120):
        service = Service(seed)
        for name in NAMES:
            service.series[name, "latency"] = service.noise(0.05)
        symptom = service.noise(1.0)
        measures = [Measure(name, kind, v) for (name, kind), v in service.series.items()]
        firsts.append(first(rank_components(measures, symptom, service.onset)))
    for name in NAMES:
        low, high = wilson(firsts.count(name), len(firsts), z=3.5)
        assert low < 1 / 6 < high


@pytest.mark.parametrize("seed", SEEDS)
def test_units_and_order_do_not_matter(seed):
    service = Service(seed)
    service.add(["db", "c", "a", "front"], "latency", 0.2 * service.profile())
    plain = service.rank()
    for kind in ("latency", "traffic"):
        for name in NAMES:
            service.series[name, kind] = service.series[name, kind] * 1000
    service.series = dict(reversed(service.series.items()))
    assert [r.component for r in service.rank()] == [r.component for r in plain]
    assert [r.score for r in service.rank()] == pytest.approx([r.score for r in plain])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_lower_symptom_is_bad_where_it_falls(seed):
    service = Service(seed, bad=8)
    bad = service.profile()
    service.series["c", "saturation"] = service.noise(20) + 60 * bad
    least = (bad > 0) & (bad < np.median(bad[service.onset :]))
    service.series["d", "saturation"] = service.noise(20) + 400 * least
    done = service.noise(1000) - 500 * bad  # orders a minute: no component's measure
    measures = [Measure(name, kind, v) for (name, kind), v in service.series.items()]
    ranked = rank_components(measures, done, service.onset, calls=CALLS)
    assert first(ranked) == "c"
    assert measures[ranked[0].measure].kind == "saturation"


@pytest.mark.parametrize("seed", SEEDS)
def test_gaps_do_not_hide_the_cause(seed):
    service = Service(seed)
    service.add(["db", "c", "a", "front"], "latency", 0.2 * service.profile())
    for (name, _), values in service.series.items():
        gaps = service.rng.random(service.size) < 0.2
        gaps[service.onset + 1 : service.onset + 4] = False
        if name != "front":
            values[gaps] = np.nan
    assert first(service.rank()) == "db"


def test_ties_are_told_apart_by_name_only():
    values = np.random.default_rng(0).standard_normal(30)
    values[25:] += 10
    for series, names in ((values, "bca"), (np.ones(30), "cab")):
        ranked = rank_components([Measure(n, "latency", series) for n in names], values, 25)
        assert [r.component for r in ranked] == ["a", "b", "c"]
        assert len({r.score for r in ranked}) == 1


NOTHING = {
    "constant": np.ones(30),
    "zero": np.zeros(30),
    "no data": np.full(30, math.nan),
    "no baseline": np.r_[np.full(25, math.nan), np.arange(5.0)],
    "one sample before": np.r_[np.full(24, math.nan), 1.0, np.arange(5.0)],
    "one sample after": np.r_[np.arange(25.0), np.full(4, math.nan), 5.0],
    "no incident": np.r_[np.arange(25.0), np.full(5, math.nan)],
    "infinite": np.r_[np.arange(25.0), np.full(5, math.inf)],
    "huge": np.r_[np.arange(25.0), np.full(5, 1e308)],
    "whole numbers": np.arange(30),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["latency", "errors", "traffic", "saturation", "other"])
@pytest.mark.parametrize("symptom", NOTHING)
@pytest.mark.parametrize("onset", [0, 1, 25, 30, 99])
def test_nothing_to_go_by_never_raises(kind, symptom, onset):
    measures = [Measure(name, kind, values) for name, values in NOTHING.items()]
    measures += [Measure(name, "traffic", values) for name, values in NOTHING.items()]
    ranked = rank_components(measures, NOTHING[symptom], onset, calls=[("zero", "constant")])
    assert {r.component for r in ranked} == set(NOTHING)
    assert all(math.isfinite(r.score) and r.score >= 0 for r in ranked)
    assert all(measures[r.measure].component == r.component for r in ranked)


def test_no_data_is_never_healthy():
    ranked = rank_components(
        [Measure("new", "latency", NOTHING["no baseline"])], np.arange(30.0), 25
    )
    assert ranked[0].score == 0
    assert "no data before" in ranked[0].because


def test_no_components_and_no_samples():
    assert rank_components([], np.arange(30.0), 25) == []
    empty = np.array([])
    assert rank_components([Measure("a", "latency", empty)], empty, 0)[0].score == 0


def test_series_on_another_grid_are_refused():
    with pytest.raises(ValueError, match="grid"):
        rank_components([Measure("a", "latency", np.ones(3))], np.ones(4), 2)
