from __future__ import annotations

from locard.stats.contrast import Contrast, Counts

WHOLE = Counts(10_000, 50, 5000, 223)
PAIR = Counts(1000, 5, 500, 200)
REGION = Counts(4000, 20, 2000, 208)
CONTRAST = Contrast(WHOLE)


def test_the_smallest_set_that_explains_it_is_worth_most():
    values = [CONTRAST.worth(part) for part in (PAIR, REGION, WHOLE)]
    assert values == sorted(values, reverse=True)
    assert abs(values[-1]) < 1


def test_what_was_bad_before_is_no_excess():
    assert abs(CONTRAST.excess(Counts(1000, 400, 500, 200))) < 5


def test_a_value_without_a_past_borrows_that_of_all():
    contrast = Contrast(Counts(1000, 50, 1000, 60))
    assert contrast.excess(Counts(0, 0, 100, 10)) == 5.0


def test_nothing_is_worth_nothing():
    assert Contrast(Counts(0, 0, 0, 0)).worth(PAIR) == 0.0


def test_both_contrasts_have_to_hold():
    assert CONTRAST.evidence(PAIR) > 100
    chronic = Counts(1000, 400, 500, 200)  # worse than the others, no worse than before
    assert CONTRAST.evidence(chronic) < 1
    assert CONTRAST.evidence(Counts(2000, 10, 500, 10)) == 0.0  # worse than before, as the others


def test_everyone_ten_times_as_bad_sets_nobody_apart():
    """The busy path has most of the excess, because it has always had most of the errors."""
    contrast = Contrast(Counts(20_000, 220, 20_000, 2200))
    assert contrast.evidence(Counts(10_000, 200, 10_000, 2000)) < 5


def test_stray_errors_outside_do_not_hide_it():
    contrast = Contrast(Counts(20_000, 201, 20_000, 2010))
    assert contrast.evidence(Counts(10_000, 200, 10_000, 2000)) > 100


def test_without_a_past_inside_is_judged_against_outside():
    contrast = Contrast(Counts(0, 0, 2000, 110))
    assert contrast.evidence(Counts(0, 0, 1000, 100)) > 20
    assert contrast.evidence(Counts(0, 0, 1000, 55)) < 1
    assert contrast.worth(Counts(0, 0, 1000, 100)) == 45.0


def test_the_affected_are_told_from_the_rest():
    assert CONTRAST.affected(Counts(1000, 5, 500, 100), typical_rate=0.4) > 10
    assert CONTRAST.affected(Counts(1000, 5, 500, 3), typical_rate=0.4) < -2
    assert abs(CONTRAST.affected(Counts(10, 0, 0, 0), typical_rate=0.4)) < 1e-9
    # As much worse as everybody else is no sign of it.
    assert CONTRAST.affected(Counts(1000, 5, 500, 6), typical_rate=0.4, drift=2.0) < -2


def test_more_requests_do_not_make_a_small_wobble_an_effect():
    wobble = Counts(1_000_000, 10_000, 1_000_000, 11_000)
    contrast = Contrast(Counts(2_000_000, 20_000, 2_000_000, 400_000))
    assert contrast.affected(wobble, typical_rate=0.4) < 0


def test_estimated_counts_below_nothing_are_none():
    for before in (-20, -21, -19, -1):
        below = Counts(before, -2, 50, 5)
        none = Counts(0, 0, 50, 5)
        assert CONTRAST.affected(below, typical_rate=0.4) == CONTRAST.affected(
            none, typical_rate=0.4
        )
        assert CONTRAST.base_rate(below) == CONTRAST.base_rate(none)
