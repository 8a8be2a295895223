"""Traps of a time series, planted in logs: what looks like an onset and is none, and the reverse."""

from __future__ import annotations

import json
import math
import random

import planted_logs as planted
import pytest

DAY = 86_400.0
SEEDS = pytest.mark.parametrize("seed", range(31, 34))


@pytest.fixture
def summarise(tmp_path):
    """The first pass over lines."""

    def run(lines):
        return planted.summarise(str(planted.write(tmp_path / "service.log", lines)))

    return run


def at(line):
    return json.loads(line)["time"] - planted.START


def thinned(lines, share_at, seed):
    """So that traffic varies over time and the share of errors does not."""
    rng = random.Random(seed)
    return [line for line in lines if rng.random() < share_at(at(line))]


def joined(first, second, moment):
    """Two logs of one service, one after the other."""
    return [x for x in first if at(x) < moment] + [x for x in second if at(x) >= moment]


def shape_of(summary, measure):
    (found,) = [s for s in summary.shapes if s.measure == measure]
    return found


def holds(onset, moment):
    return onset.earliest - planted.START <= moment <= onset.latest - planted.START


@SEEDS
def test_a_flat_baseline_hides_no_spike(summarise, seed):
    incident = planted.Incident(150, end_s=153, error_rate=0.6)
    summary = summarise(planted.lines(seed, seconds=300, incident=incident))
    assert (summary.changed, summary.shape) == (("errors",), "spike")
    assert holds(summary.onset, 150)
    assert shape_of(summary, "errors").after > 20 * shape_of(summary, "errors").before
    assert shape_of(summary, "latency").shape == shape_of(summary, "volume").shape == "flat"


@SEEDS
def test_partial_buckets_at_the_ends_fake_nothing(summarise, seed):
    lines = planted.lines(seed, seconds=200, base_errors=0.05)
    summary = summarise([x for x in lines if 33.37 < at(x) < 171.73])
    assert (summary.changed, summary.further_onsets, summary.silences) == ((), (), ())
    assert {s.shape for s in summary.shapes} == {"flat"}


@SEEDS
def test_a_deploy_gap_is_a_silence_and_no_onset(summarise, seed):
    summary = summarise([x for x in planted.lines(seed, seconds=200) if not 80 < at(x) < 110])
    assert summary.changed == ()
    assert {s.shape for s in summary.shapes} == {"flat"}
    (gap,) = summary.silences
    assert gap.field == ""
    assert abs(gap.since.latest - planted.START - 80) <= 1.5
    assert abs(gap.until - planted.START - 110) <= 1.5


@SEEDS
def test_low_counts_raise_no_alarm_and_hide_no_step(summarise, seed):
    quiet = summarise(planted.lines(seed, seconds=300, rate=0.5, base_errors=0.2))
    assert (quiet.changed, quiet.silences) == ((), ())
    incident = planted.Incident(300, error_rate=0.6)
    summary = summarise(planted.lines(seed, seconds=600, rate=0.5, incident=incident))
    assert (summary.changed, summary.shape) == (("errors",), "step")
    assert holds(summary.onset, 300)


@SEEDS
def test_doubled_traffic_at_a_constant_error_share_is_traffic(summarise, seed):
    lines = planted.lines(seed, seconds=300, base_errors=0.05)
    summary = summarise(thinned(lines, lambda t: 0.5 if t < 180 else 1.0, seed))
    assert summary.changed == ()
    volume = shape_of(summary, "volume")
    assert volume.shape == "step"
    assert holds(volume.onset, 180)
    assert volume.after == pytest.approx(2 * volume.before, rel=0.15)


@SEEDS
def test_slow_drift_is_no_step(summarise, seed):
    lines = planted.lines(seed, seconds=300)
    traffic = summarise(thinned(lines, lambda t: 0.3 + 0.7 * t / 300, seed))
    assert traffic.changed == ()
    assert shape_of(traffic, "volume").shape == "ramp"
    slower = planted.Incident(0, slower=1.3, ramp_s=300)
    assert summarise(planted.lines(seed, seconds=300, incident=slower)).changed == ()
    errors = planted.Incident(0, error_rate=0.1, ramp_s=300)
    assert summarise(planted.lines(seed, seconds=300, incident=errors)).shape == "ramp"


@SEEDS
def test_two_onsets_are_both_told(summarise, seed):
    early = planted.lines(
        seed, seconds=300, incident=planted.Incident(80, end_s=100, error_rate=0.3)
    )
    late = planted.lines(
        seed, seconds=300, incident=planted.Incident(220, end_s=250, error_rate=0.3)
    )
    summary = summarise(joined(early, late, 160))
    assert summary.changed == ("errors",)
    onsets = sorted([summary.onset, *summary.further_onsets], key=lambda o: o.latest)
    assert len(onsets) == 2
    assert holds(onsets[0], 80)
    assert holds(onsets[1], 220)


@SEEDS
def test_errors_first_and_latency_later_are_two_onsets(summarise, seed):
    early = planted.lines(
        seed, seconds=300, incident=planted.Incident(80, end_s=100, error_rate=0.3)
    )
    late = planted.lines(seed, seconds=300, incident=planted.Incident(220, slower=10))
    summary = summarise(joined(early, late, 160))
    assert shape_of(summary, "errors").shape == "spike"
    assert shape_of(summary, "latency").shape == "step"
    onsets = sorted([summary.onset, *summary.further_onsets], key=lambda o: o.latest)
    assert holds(onsets[0], 80)
    assert holds(onsets[-1], 220)


@SEEDS
def test_slow_failures_give_errors_and_latency_the_same_onset(summarise, seed):
    incident = planted.Incident(150, error_rate=0.3, slower=12)
    summary = summarise(planted.lines(seed, seconds=240, incident=incident))
    for measure in ("errors", "latency"):
        assert shape_of(summary, measure).shape == "step"
        assert holds(shape_of(summary, measure).onset, 150)


@SEEDS
def test_a_daily_rhythm_is_no_change_and_hides_none(summarise, seed):
    def daytime(t):
        return 0.5 + 0.45 * math.sin(2 * math.pi * t / DAY)

    healthy = planted.lines(seed, seconds=4 * DAY, rate=0.05, base_errors=0.02)
    summary = summarise(thinned(healthy, daytime, seed))
    assert (summary.changed, summary.silences) == ((), ())
    volume = shape_of(summary, "volume")
    assert volume.shape == "periodic"
    assert volume.period_s == pytest.approx(DAY, rel=0.08)
    incident = planted.Incident(3.3 * DAY, error_rate=0.2)
    ill = planted.lines(seed, seconds=4 * DAY, rate=0.05, base_errors=0.02, incident=incident)
    summary = summarise(thinned(ill, daytime, seed))
    assert (summary.changed, summary.shape) == (("errors",), "step")
    assert holds(summary.onset, 3.3 * DAY)


@SEEDS
def test_an_instance_that_stops_is_silent_and_one_that_was_replaced_is_not(summarise, seed):
    lines = planted.lines(seed, seconds=240)
    stopped = [x for x in lines if at(x) < 150 or '"worker": 3002' not in x]
    summary = summarise(stopped)
    (one,) = summary.silences
    assert (one.field, one.value, one.until) == ("worker", "3002", None)
    assert abs(one.since.latest - planted.START - 150) <= 1.5
    assert one.per_s == pytest.approx(12.5, rel=0.2)
    renamed = [x.replace('"worker": 3002', '"worker": 3009') if at(x) >= 150 else x for x in lines]
    assert summarise(renamed).silences == ()


@SEEDS
def test_workers_that_are_replaced_all_the_time_are_not_silent(summarise, seed):
    lines = []
    for line in planted.lines(seed, seconds=240):
        record = json.loads(line)
        turn = int((at(line) + 7 * record["worker"]) // 25)  # each lives for 25 s
        lines.append(json.dumps({**record, "worker": record["worker"] * 100 + turn}))
    assert summarise(lines).silences == ()


def test_healthy_logs_are_flat_in_every_measure(summarise):
    """Errors and latency promise 1 in 200, silence 1 in 1000, the volume's cuts far less."""
    alarms = 0
    for seed in range(40, 60):
        summary = summarise(planted.lines(seed, seconds=60, rate=40))
        alarms += bool(summary.changed or summary.silences or summary.further_onsets)
        alarms += any(s.shape != "flat" for s in summary.shapes)
    assert alarms <= 1
