"""Queries that a person pastes: valid PromQL, whatever the names and labels hold."""

from __future__ import annotations

import pytest

from locard.metrics import promql


@pytest.mark.parametrize(
    ("name", "labels", "query"),
    [
        ("up", (), "up"),
        ("up", (("job", "pay"),), 'up{job="pay"}'),
        ("http.server.request.duration", (("a", "b"),), '{"http.server.request.duration",a="b"}'),
        ("up", (("k8s.pod", 'a"b\\c\nd'),), 'up{"k8s.pod"="a\\"b\\\\c\\nd"}'),
    ],
)
def test_a_selector(name, labels, query):
    assert promql.selector(name, labels) == query


def test_rates_means_and_quantiles():
    assert promql.rate("x_total", ()) == "sum(rate(x_total[1m]))"
    assert promql.mean("x", ()) == "sum(rate(x_sum[1m])) / sum(rate(x_count[1m]))"
    assert promql.quantile("x", ()) == "histogram_quantile(0.99, sum by (le) (rate(x_bucket[1m])))"
