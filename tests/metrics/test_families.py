"""Kinds of families, told by what the page says and, where it says nothing, by name and shape."""

from __future__ import annotations

import pytest

from locard.metrics.families import distributions, kinds, odd, quantiles, sums
from locard.metrics.text_format import parse

BARE = """
http_requests_total{status="200"} 5
h_bucket{le="+Inf"} 5
h_sum 5
h_count 5
s{quantile="0.5"} 1
s_sum 9
s_count 3
db_pool_count 4
build_info{version="1"} 1
a_created 1.5e9
temperature 3
"""
SAID = """
# TYPE pool_count gauge
pool_count 4
# TYPE jobs counter
jobs_total 4
jobs_created 1
# TYPE level stateset
level{level="a"} 1
# TYPE old counter
old 7
# TYPE g gaugehistogram
g_bucket{le="+Inf"} 4
g_gcount 4
"""


def kind_by_name(text):
    page = parse(text)
    return {name: kind for (name, _), kind in kinds(page).items()}


def test_by_shape():
    assert kind_by_name(BARE) == {
        "http_requests_total": "counter", "h_bucket": "histogram", "h_sum": "histogram", "h_count": "histogram",
        "s": "summary", "s_sum": "summary", "s_count": "summary", "db_pool_count": "unknown",
        "build_info": "info", "a_created": "created", "temperature": "unknown",
    }  # fmt: skip


def test_by_what_the_page_says():
    assert kind_by_name(SAID) == {
        "pool_count": "gauge", "jobs_total": "counter", "jobs_created": "created", "level": "stateset",
        "old": "counter", "g_bucket": "gaugehistogram", "g_gcount": "gaugehistogram",
    }  # fmt: skip
    assert distributions(parse(SAID)) == {}


def test_summaries_have_sums_and_quantiles_of_their_own():
    page = parse(BARE)
    assert quantiles(page) == {"s": {(): {0.5: 1.0}}}
    (one,) = sums(page)["s"].values()
    assert (one.total, one.mean, one.quantile(0.5).words()) == (3, 3.0, "unknown")


@pytest.mark.parametrize(("value", "expected"), [("-1", 1), ("NaN", 1), ("+Inf", 1), ("0", 0)])
def test_counts_that_are_none(value, expected):
    assert odd(parse(f"a_total {value}\ntemperature {value}\n")) == expected
