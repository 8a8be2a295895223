"""autoscaler-at-max: fires where it reached its maximum, or is there while users are hit."""

from __future__ import annotations

import numpy as np
import pytest

from locard.rules.autoscaler_at_max import judge
from metric_series import LENGTH, ON, case_of, counter, level, series, told

HPA = {"namespace": "shop", "horizontalpodautoscaler": "pay"}
UP = {"job": "pay", "instance": "pay-a:80"}


def scaled(current, *more):
    return told(
        series("kube_horizontalpodautoscaler_status_current_replicas", current, **HPA),
        series("kube_horizontalpodautoscaler_spec_max_replicas", level(10), **HPA), *more,
    )  # fmt: skip


def errors(share):
    bad = np.where(np.arange(LENGTH) < ON, 1, 300 * share)
    return (
        counter("http_requests_total", 300 - bad, code="200", **UP),
        counter("http_requests_total", bad, code="500", **UP),
    )


@pytest.mark.parametrize(("before", "more"), [(4, ()), (10, errors(0.3))])
def test_fires_at_the_maximum(before, more):
    (finding,) = judge(case_of(scaled(level(before, 10), *more)))
    assert "at its maximum of 10" in finding.title
    assert bool(finding.against) == (before == 10)


def test_quiet_below_it_and_where_nobody_is_hurt():
    assert not list(judge(case_of(scaled(level(4, 9)))))
    assert not list(judge(case_of(scaled(level(10)))))
