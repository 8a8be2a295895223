"""What changed of everything: one cause one line, causes before symptoms, and nothing of what moves anyway."""

from __future__ import annotations

import numpy as np

from metric_series import LENGTH, ON, counter, level, series, told

UP = {"job": "pay"}


def pods(name, before, after, changed=3, count=10, **labels):
    return [series(name, level(before, after if n < changed else before, noise=before / 50 + 0.01, seed=n),
                   instance=f"p{n}", **UP, **labels) for n in range(count)]  # fmt: skip


def test_label_sets_that_changed_alike_are_one_line():
    found = told(*pods("cache_misses", 10, 90))
    (line,) = found.changed
    assert (line.metric, line.changed, line.all, line.direction) == ("cache_misses", 3, 10, "up")
    assert dict(line.labels) == UP
    assert line.query == 'cache_misses{job="pay"}'


def test_a_recording_rule_is_no_second_line():
    rule = {"name": "job:misses:sum", "type": "recording", "query": "sum(cache_misses)"}
    smooth = np.convolve(level(100, 340), np.ones(20) / 20)[:LENGTH]
    found = told(*pods("cache_misses", 10, 90), series("job:misses:sum", smooth), rules=[rule])
    (line,) = found.changed
    assert line.metric == "cache_misses"
    assert any("job:misses:sum" in m and "recording" in m for m in line.moves_with)


def test_the_complement_stands_beside_it():
    a = level(4, 10, noise=0.01)
    found = told(series("pool_busy", a, **UP), series("pool_idle", 10 - a, **UP))
    (line,) = found.changed
    assert any("pool_idle" in m for m in line.moves_with) or line.metric == "pool_idle"


def test_what_came_first_stands_first():
    # The calls take longer; a minute later the queue fills, twenty times as much.
    about = {**UP, "instance": "a"}
    n = np.full(LENGTH, 100.0)
    took = np.where(np.arange(LENGTH) >= ON, 0.4, 0.1)
    found = told(counter("store_call_seconds_sum", n * took, **about), counter("store_call_seconds_count", n, **about),
                 series("render_queue_depth", level(1, 400, at=ON + 6, noise=0.2), **about))  # fmt: skip
    assert [c.metric for c in found.changed] == ["store_call_seconds", "render_queue_depth"]
    assert (found.changed[0].what, found.changed[1].lagging) == ("mean", True)


def test_a_limit_that_was_set_comes_before_what_follows():
    about = {"container": "c", "pod": "p"}
    found = told(series("container_spec_cpu_quota", level(200000, 50000), **about),
                 series("work_backlog_pending", level(2, 9, noise=0.3), **UP))  # fmt: skip
    assert found.changed[0].metric == "container_spec_cpu_quota"


def test_what_moves_anyway_is_not_listed():
    rnd = np.random.default_rng(5)
    walk = np.cumsum(rnd.normal(0, 0.1, LENGTH)) * 0.2 + 50
    found = told(series("wandering", walk, **UP), series("rhythm", 50 + 20 * np.sin(np.arange(LENGTH) / 11), **UP),
                 series("tail", rnd.lognormal(2, 0.6, LENGTH), **UP), counter("steady_total", rnd.poisson(40, LENGTH), **UP))  # fmt: skip
    assert found.changed == ()
    assert found.onset is None


def test_the_same_change_a_day_before_is_a_rhythm():
    from locard.metrics.same_time_before import DAY_S, told_by_yesterday
    from metric_series import END, STEP

    found = told(*pods("jobs_running", 10, 60, changed=10))
    assert found.changed[0].note == ""

    def yesterday(size):
        start = END - (LENGTH - 1) * STEP - DAY_S
        return [series("jobs_running", level(10, 10 + size), start=start, instance="p0", **UP)]

    assert "day before" in told_by_yesterday(found, yesterday(45)).changed[0].note
    assert told_by_yesterday(found, yesterday(0)).changed[0].note == ""
