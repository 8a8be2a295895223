"""Verbs follow from numbers; long texts keep their ends."""

import pytest

from locard.model.wording import moved, shorten


@pytest.mark.parametrize(
    ("before", "after", "verb"),
    [(53, 83, "rose"), (83, 53, "fell"), (83, 83, "stayed"), (83, 84, "stayed"), (0, 0, "stayed"), (0, 0.1, "rose")],
)  # fmt: skip
def test_the_verb_follows_from_the_numbers(before, after, verb):
    assert moved(before, after) == verb


def test_the_middle_goes_and_the_cause_stays():
    text = "order 4711 failed after 3 attempts at " + "x" * 200 + ": No space left on device"
    short = shorten(text, 80)
    assert len(short) == 80
    assert short.startswith("order 4711")
    assert short.endswith("No space left on device")
    assert shorten("short", 80) == "short"
    assert [len(shorten(text, n)) for n in (0, 1, 2, 3)] == [0, 1, 2, 3]
