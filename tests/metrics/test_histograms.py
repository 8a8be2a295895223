"""Histograms: what may be said of a quantile, and sums that lose no count."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locard.metrics.buckets import bound_of
from locard.metrics.histograms import CUSTOM, Exemplar, Histogram, NativeHistogram, Quantile

INF = math.inf


def native(schema, values, zero=0.001, custom=()):
    """A native histogram of these values, filled as a client does it."""
    positive, negative, zeros = {}, {}, 0
    for value in values:
        if custom:
            at = next((n for n, b in enumerate(custom) if value <= b), len(custom))
            positive[at] = positive.get(at, 0) + 1
        elif abs(value) <= zero:
            zeros += 1
        else:
            into = positive if value > 0 else negative
            at = math.ceil(math.log2(abs(value)) * 2.0**schema - 1e-9)
            into[at] = into.get(at, 0) + 1
    return NativeHistogram(
        schema, 0.0 if custom else zero, float(zeros),
        tuple(sorted(positive.items())), tuple(sorted(negative.items())),
        float(len(values)), float(sum(values)), custom,
    )  # fmt: skip


def test_quantiles_rest_on_buckets():
    one = Histogram((0.1, 0.5, INF), (50.0, 90.0, 100.0), 100.0, 20.0)
    assert one.quantile(0.25) == Quantile(0.0, 0.1, pytest.approx(0.05))
    assert one.quantile(0.7) == Quantile(0.1, 0.5, pytest.approx(0.3))
    assert one.bucket(0.99) == (0.5, INF)
    assert one.over(0.1) == 0.5
    assert one.over(0.2) is None
    assert one.mean == 0.2


def test_a_quantile_beyond_the_last_bound_is_no_number():
    one = Histogram((0.1, 0.5, INF), (50.0, 90.0, 100.0), 100.0, 20.0)
    assert one.quantile(0.99) == Quantile(0.5, None)
    assert one.quantile(0.99).words() == "> 0.5 s"
    assert one.quantile(0.99).scaled(1e-3).words() == "> 0.0005 s"


def test_all_in_the_first_bucket_is_nothing_finer():
    one = Histogram((100.0, 200.0, INF), (40.0, 40.0, 40.0), 40.0, 10.0)
    assert one.quantile(0.99) == Quantile(None, 100.0)
    assert one.quantile(0.99).scaled(1e-3).words() == "<= 0.1 s, nothing finer"
    most = Histogram((100.0, 200.0, INF), (39.0, 40.0, 40.0), 40.0, 10.0)
    assert most.quantile(0.5).near == pytest.approx(100 * 20 / 39)


def test_a_first_bound_below_zero_has_no_lower_edge():
    one = Histogram((-5.0, 5.0, INF), (10.0, 40.0, 40.0), 40.0, 10.0)
    assert one.quantile(0.1) == Quantile(None, -5.0)
    assert one.quantile(0.9).low == -5.0
    assert Histogram((INF,), (4.0,), 4.0, 1.0).quantile(0.5).words() == "unknown"


def test_counters_that_fell_were_reset():
    earlier = Histogram((1.0, INF), (50.0, 60.0), 60.0, 9.0)
    later = Histogram((1.0, INF), (55.0, 70.0), 70.0, 10.0)
    assert later.minus(earlier) == Histogram((1.0, INF), (5.0, 10.0), 10.0, 1.0)
    assert earlier.minus(later) == earlier
    assert earlier.since(later) is None
    assert later.minus(None) == later
    assert later.minus(Histogram((2.0, INF), (1.0, 1.0), 1.0, 1.0)) == later
    assert Histogram((), (), 0.0, None).quantile(0.5) is None
    assert Histogram((1.0, INF), (0.0, 0.0), 0.0, 0.0).mean is None


def test_other_bounds_lose_no_count():
    one = Histogram((1.0, 2.0, INF), (5.0, 8.0, 10.0), 10.0, 20.0)
    two = Histogram((2.0, 4.0, INF), (3.0, 3.0, 4.0), 4.0, 6.0)
    both = Histogram((2.0, INF), (11.0, 14.0), 14.0, 26.0)
    assert one.plus(two) == two.plus(one) == both
    none = Histogram((INF,), (11.0,), 11.0, None)
    assert one.plus(Histogram((9.0, INF), (1.0, 1.0), 1.0, None)) == none
    mixed = native(3, [1.0, 2.0]).plus(one)
    assert (mixed.total, mixed.sum) == (12.0, 23.0)


def test_only_new_exemplars_are_of_what_came_since():
    old, new = Exemplar("a", 0.4), Exemplar("b", 0.7)
    earlier = Histogram((INF,), (1.0,), 1.0, 1.0, (old,))
    later = Histogram((INF,), (3.0,), 3.0, 1.0, (old, new))
    assert later.minus(earlier).exemplars == (new,)
    assert earlier.plus(later).exemplars == (new, old, old)


@pytest.mark.parametrize(
    ("schema", "number", "bound"),
    [(0, 0, 1.0), (0, 3, 8.0), (1, 1, 2**0.5), (1, -1, 2**-0.5), (-4, 1, 65536.0), (-4, -1, 2.0**-16),
     (8, 256, 2.0), (3, 8, 2.0), (0, 1024, 1.7976931348623157e308), (0, 1025, INF), (-4, -(2**31), 0.0)],
)  # fmt: skip
def test_bounds_of_native_buckets(schema, number, bound):
    assert bound_of(schema, number) == pytest.approx(bound, rel=1e-12)


def test_native_quantiles_lie_in_their_bucket():
    values = [0.01 * n for n in range(1, 1001)]
    one = native(3, values)
    for q in (0.5, 0.9, 0.99):
        found, true = one.quantile(q), 10 * q
        assert found.low < true <= found.high * (1 + 1e-9)
        assert found.low < found.near <= found.high
        assert found.near == pytest.approx(true, rel=2 ** (2**-3) - 1)
    assert one.mean == pytest.approx(5.005)
    assert one.bucket(0.5) == (pytest.approx(2 ** (18 / 8)), pytest.approx(2 ** (19 / 8)))
    assert one.over(4.0) == pytest.approx(0.6)
    assert one.over(4.1) is None  # inside of a bucket
    assert one.over(1e9) == 0.0


def test_zero_and_negative_buckets():
    one = native(0, [-8.0, -3.0, 0.0, 0.0, 3.0, 8.0])
    assert one.quantile(0.1) == Quantile(-8.0, -4.0, pytest.approx(-8 * 0.5**0.6))
    assert one.bucket(0.5) == (-0.001, 0.001)
    assert one.bucket(0.99) == (4.0, 8.0)
    assert native(0, [0.0, 3.0]).bucket(0.3) == (0.0, 0.001)
    assert one.over(0.001) == pytest.approx(2 / 6)


def test_infinite_and_no_values():
    beyond = NativeHistogram(0, 0.0, 0.0, ((1, 5.0), (1025, 5.0)), (), 10.0, INF)
    assert beyond.quantile(0.99).words() == f"> {1.7976931348623157e308:g} s"
    assert beyond.mean is None
    empty = NativeHistogram(0, 0.0, 0.0, (), (), 0.0, 0.0)
    assert (empty.quantile(0.5), empty.over(1.0), empty.mean, empty.bounds) == (
        None,
        None,
        None,
        (INF,),
    )


def test_custom_bounds():
    one = native(CUSTOM, [0.05] * 50 + [0.3] * 40 + [9.0] * 10, custom=(0.1, 0.5, 1.0))
    assert one.quantile(0.99) == Quantile(1.0, None)
    assert one.quantile(0.7) == Quantile(0.1, 0.5, pytest.approx(0.3))
    assert one.over(1.0) == pytest.approx(0.1)
    assert one.over(0.7) == pytest.approx(
        0.1
    )  # nothing lies between 0.5 and 1: either bound tells it
    all_low = native(CUSTOM, [0.05] * 5, custom=(0.1, 0.5))
    assert all_low.quantile(0.5) == Quantile(None, 0.1)
    other = native(CUSTOM, [0.05, 0.4], custom=(0.1, 1.0))
    assert one.plus(other) == Histogram((0.1, 1.0, INF), (51.0, 92.0, 102.0), 102.0, one.sum + 0.45)


VALUES = st.lists(st.floats(0.01, 1000).map(lambda v: round(v, 3)), max_size=30)
SCHEMA = st.integers(-4, 8)


@given(VALUES, VALUES, SCHEMA, SCHEMA)
def test_native_sums_are_those_of_all_values_at_the_lower_schema(one, two, schema, other):
    both = native(schema, one).plus(native(other, two))
    at_once = native(min(schema, other), one + two)
    assert (both.schema, both.positive, both.total) == (
        at_once.schema,
        at_once.positive,
        at_once.total,
    )


@given(VALUES, VALUES, SCHEMA, SCHEMA)
def test_what_came_since_is_what_was_added(early, late, schema, coarser):
    coarser = min(schema, coarser)
    since = native(coarser, early + late).since(native(schema, early))
    assert since.positive == native(coarser, late).positive
    assert since.total == len(late)


def test_native_resets():
    then, now = native(2, [1.0, 2.0, 3.0]), native(2, [1.0, 3.0, 3.0, 3.0])
    assert now.since(then) is None  # one bucket fell though the count grew
    assert now.minus(then) == now
    assert native(3, [1.0] * 9).since(then) is None  # finer again: a new one
    assert now.since(native(2, [], zero=0.5)) is None  # a narrower zero bucket too
    assert now.minus(Histogram((INF,), (1.0,), 1.0, 1.0)) == now


def test_a_wider_zero_bucket_takes_whole_buckets():
    then = native(0, [0.3, 0.4, 0.9, 3.0], zero=0.001)
    now = native(0, [0.3, 0.4, 0.9, 3.0, 3.0], zero=0.6)
    since = now.since(then)
    assert (since.zero_threshold, since.zero_count, since.positive) == (1.0, 0.0, ((2, 1.0),))
