from __future__ import annotations

from locard.stats.contrast import Cell, excess, worth

PAIR = Cell((("region", "eu"), ("segment", "plus")), 1000, 5, 500, 200)
REGION = Cell((("region", "eu"),), 4000, 20, 2000, 208)
EVERYONE = Cell((), 10_000, 50, 5000, 223)


def test_the_smallest_set_that_explains_it_is_worth_most():
    values = {c: worth(c, 223, 5000, 0.005) for c in (PAIR, REGION, EVERYONE)}
    assert values[PAIR] > values[REGION] > values[EVERYONE]
    assert abs(values[EVERYONE]) < 1


def test_what_was_bad_before_is_no_excess():
    chronic = Cell((("job", "nightly"),), 1000, 400, 500, 200)
    assert abs(excess(chronic, 0.005)) < 5


def test_a_value_without_a_past_borrows_that_of_all():
    new = Cell((("version", "2"),), 0, 0, 100, 10)
    assert excess(new, 0.05) == 5.0


def test_nothing_is_worth_nothing():
    assert worth(PAIR, 0, 0, 0.0) == 0.0
