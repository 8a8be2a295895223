"""A quantile is a pair of bounds, or only "beyond": never a number that no bucket gives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from locard.metrics.measures import Buckets
from locard.metrics.quantiles import bounded, quantiles
from metric_series import LENGTH, counter, told

BOUNDS = (0.1, 0.25, 1.0, math.inf)


@pytest.mark.parametrize(
    ("cumulative", "q", "words"),
    [
        ((50, 90, 100, 100), 0.5, "≤ 100 ms"),
        ((50, 90, 100, 100), 0.9, "100 ms to 250 ms"),
        ((50, 90, 100, 100), 0.99, "250 ms to 1 s"),
        ((50, 80, 88, 100), 0.99, "> 1 s"),
        ((0, 0, 0, 100), 0.5, "> 1 s"),
    ],
)
def test_the_bucket_in_words(cumulative, q, words):
    assert bounded(BOUNDS, np.array(cumulative, float), q) == words


def test_all_in_the_first_bucket_tells_nothing_finer():
    said = quantiles(Buckets(BOUNDS, np.zeros((4, 1))), np.array((1000.0, 1000, 1000, 1000)))
    assert said == "all up to 100 ms, nothing finer can be told"
    assert quantiles(Buckets(BOUNDS, np.zeros((4, 1))), np.zeros(4)) == ""


def slower(share, took):
    """12 % of the requests of one of two routes begin to take long, beyond the last bound of 1 s."""
    on, xs = 500, np.arange(LENGTH)
    every = []
    for route, hit in (("/search", True), ("/item", False)):
        n = np.full(LENGTH, 300.0)
        late = np.where((xs >= on) & hit, n * share, 0.0)
        about = {"job": "shop", "instance": "s:1", "uri": route}
        name = "http_server_requests_seconds"
        every += [counter(f"{name}_bucket", (n - late) * 0.5, le="0.1", **about),
                  counter(f"{name}_bucket", n - late, le="1", **about),
                  counter(f"{name}_bucket", n, le="+Inf", **about), counter(f"{name}_count", n, **about),
                  counter(f"{name}_sum", (n - late) * 0.17 + late * took, **about)]  # fmt: skip
    return told(*every)


def test_what_is_slower_than_the_last_bound_is_told_by_sum_and_count():
    found = slower(0.12, 7.4)
    (signal,) = [s for s in found.signals if s.signal == "latency"]
    assert signal.direction == "up"
    assert "p99 > 1 s" in signal.after_words
    assert "7.4 s each" in signal.detail
    assert any("/search" in p for p in signal.parts)
    assert any("/item" in p for p in signal.unaffected)


def test_a_mean_that_doubles_inside_the_first_bucket_is_latency():
    rise = np.where(np.arange(LENGTH) >= 500, 0.46, 0.22)
    n = np.full(LENGTH, 60.0)
    about = {"job": "db", "instance": "d:1"}
    found = told(
        *(counter("query_duration_ms_bucket", n, le=b, **about) for b in ("100", "500", "+Inf")),
        counter("query_duration_ms_count", n, **about), counter("query_duration_ms_sum", n * rise, **about),
    )  # fmt: skip
    (signal,) = [s for s in found.signals if s.signal == "latency"]
    assert (signal.direction, signal.before, signal.after) == (
        "up",
        pytest.approx(0.22e-3),
        pytest.approx(0.46e-3),
    )
    assert "nothing finer" in signal.after_words
