from __future__ import annotations

import math

import pytest

from locard.stats.intervals import (
    binomial_tail,
    difference_evidence,
    excess_evidence,
    log_likelihood,
    tail_bound,
    wilson,
)


def test_wilson_matches_published_values():
    # Newcombe 1998, table I
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    low, high = wilson(0, 20)
    assert low == 0
    assert high == pytest.approx(0.1611, abs=1e-4)


def test_wilson_without_data_excludes_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


def exact_tail(hits, total, p):
    return sum(math.comb(total, k) * p**k * (1 - p) ** (total - k) for k in range(hits, total + 1))


@pytest.mark.parametrize(("hits", "total", "p"), [(1, 40, 0.02), (20, 40, 0.2), (40, 40, 0.9)])
def test_the_tail_is_exact(hits, total, p):
    assert binomial_tail(hits, total, p) == pytest.approx(exact_tail(hits, total, p), rel=1e-9)


def test_the_tail_at_its_ends():
    assert binomial_tail(0, 10, 0.1) == binomial_tail(3, 10, 1.0) == 1.0
    assert binomial_tail(1, 10, 0.0) == binomial_tail(11, 10, 0.5) == 0.0


@pytest.mark.parametrize("hits", [1, 3, 8, 20])
@pytest.mark.parametrize("p", [0.001, 0.02, 0.2])
def test_the_bound_is_never_below_the_exact_tail(hits, p):
    assert tail_bound(excess_evidence(hits, 40, p)) >= exact_tail(hits, 40, p) - 1e-12


def test_no_excess_is_no_evidence():
    assert excess_evidence(2, 100, 0.02) == 0
    assert excess_evidence(0, 0, 0.5) == 0
    assert tail_bound(0.0, 10) == 1.0


def test_difference_is_symmetric_and_zero_for_equal_shares():
    assert difference_evidence(5, 100, 50, 1000) == pytest.approx(0, abs=1e-9)
    assert difference_evidence(5, 100, 90, 100) == difference_evidence(90, 100, 5, 100) > 50


def test_likelihood_of_certainty_is_zero():
    assert log_likelihood(0, 10) == log_likelihood(10, 10) == log_likelihood(0, 0) == 0
