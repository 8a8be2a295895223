"""Counters as Prometheus reads them, but for a burst that it hides; targets that are several processes."""

from __future__ import annotations

import numpy as np
import pytest

from locard.metrics.grid import join_replaced, kind_of
from metric_series import END, LENGTH, ON, STEP, counter, grid, history, level, series

UP = {"job": "pay", "instance": "pay-a:80"}


def growth(found, name, **labels):
    (row,) = [
        r
        for r in found.rows
        if r.series.name == name and all(r.series.label(k) == v for k, v in labels.items())
    ]
    return row.growth


def test_a_reset_is_what_the_counter_holds_then():
    values = [100 + 3 * i for i in range(LENGTH)]
    values[ON:] = [7 + 3 * i for i in range(LENGTH - ON)]
    found = growth(grid(series("x_total", values, **UP)), "x_total")
    assert found[ON] == 7
    assert set(found[1:ON].tolist()) == {3.0}


def born(target, first=ON, held=412.0):
    ok = counter("http_requests_total", np.full(LENGTH, 60.0), code="200", **UP)
    values = [None] * first + [held] * (LENGTH - first)
    return grid(ok, series("http_requests_total", values, code="500", **target))


def test_a_counter_born_on_a_target_that_was_up_counts_from_nothing():
    found = growth(born(UP), "http_requests_total", code="500")
    assert found[ON] == 412
    assert found[ON - 1] == 0
    assert np.nansum(found) == 412


def test_a_counter_of_a_new_target_says_nothing_at_first():
    found = growth(born({"job": "pay", "instance": "pay-d:80"}), "http_requests_total", code="500")
    assert np.nansum(found) == 0
    assert np.isnan(found[ON])


def test_a_gap_is_no_data():
    values = [10.0 * i for i in range(LENGTH)]
    values[ON : ON + 20] = [None] * 20
    found = growth(grid(series("x_total", values, **UP)), "x_total")
    assert np.isnan(found[ON : ON + 21]).all()
    assert found[ON + 21] == 10


def test_start_times_that_go_back_and_forth_are_several_processes():
    starts = [END - 1e5 + 50 * (i % 3) for i in range(LENGTH)]
    found = grid(
        series("process_start_time_seconds", starts, **UP),
        counter("x_total", np.ones(LENGTH), **UP),
    )
    assert set(found.workers) == {("pay", "pay-a:80")}
    assert not found.rows
    again = [END - 1e5 + 90 * (i // 6) for i in range(LENGTH)]  # a restart loop goes forward only
    found = grid(
        series("process_start_time_seconds", again, **UP), counter("x_total", np.ones(LENGTH), **UP)
    )
    assert not found.workers
    assert len(found.rows) == 2


@pytest.mark.parametrize(
    ("name", "values", "types", "kind"),
    [
        ("x_total", [1, 2, 3], {}, "counter"),
        ("http.server.request.duration.count", [1, 2, 3], {}, "counter"),
        ("x", list(range(100)), {}, "counter"),  # whole numbers that only grow
        ("x_bytes", list(range(100)), {}, "gauge"),
        ("x", [i + 0.5 for i in range(100)], {}, "gauge"),
        ("x", [5, 4] * 50, {}, "gauge"),
        ("x", list(range(100)), {"x": "gauge"}, "gauge"),
        ("x_created", [1, 1, 1], {}, "moment"),
        ("process_start_time_seconds", [1, 1, 1], {}, "moment"),
        ("x_total", [9, 1, 8, 2, 9, 1, 7, 3, 9, 1, 8], {}, "gauge"),  # falls that no resets are
    ],
)
def test_kinds_by_metadata_name_and_shape(name, values, types, kind):
    assert kind_of(series(name, values), types) == kind


def test_a_target_that_was_replaced_goes_on_as_one_series():
    old = [5.0] * (ON + 10) + [None] * (LENGTH - ON - 10)
    new = [None] * ON + [5.0] * (LENGTH - ON)
    about = {"job": "ksm", "pod": "api-1"}
    found = grid(
        series("kube_pod_status_ready", old, instance="10.0.0.1:80", **about),
        series("kube_pod_status_ready", new, instance="10.0.0.2:80", **about),
    )
    join_replaced(found)
    (row,) = found.rows
    assert np.isfinite(row.values).all()
    # Two that stand beside each other stay two.
    found = grid(*(series("up2", level(1.0), instance=f"10.0.0.{n}:80", **about) for n in range(2)))
    join_replaced(found)
    assert len(found.rows) == 2


def test_an_empty_reading_has_no_grid():
    from locard.metrics.grid import lay_out

    assert lay_out(history()) is None
    assert grid(series("m", [1.0] * LENGTH, **UP)).step == STEP
