"""Verbs follow from numbers; long texts keep their ends."""

import pytest

from locard.model.wording import contradicts_itself, count, moved, shorten


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


@pytest.mark.parametrize(
    "text",
    [
        "p99 rose from 83 ms to 53 ms",
        "p99 latency rose from 1.2 s to 400 ms",
        "errors fell from 1 % to 40 %",
        "memory grew from 2 GiB to 900 MiB",
        "requests fell from 1,200 to 12,000",
    ],
)
def test_words_that_their_numbers_contradict(text):
    assert contradicts_itself(text)


@pytest.mark.parametrize(
    "text",
    [
        "p99 rose from 53 ms to 83 ms",
        "p99 latency rose from 400 ms to 1.2 s",
        "traffic fell from 12.5 requests/s over 47 s to 3",
        "errors rose from 0 % to 40 %",
        "nothing of the kind: from 83 to 53",
    ],
)
def test_words_that_fit(text):
    assert not contradicts_itself(text)


@pytest.mark.parametrize(
    ("n", "nouns", "words"),
    [
        (1, ["line"], "1 line"),
        (0, ["line"], "0 lines"),
        (1203, ["record"], "1,203 records"),
        (1, ["process"], "1 process"),
        (2, ["process"], "2 processes"),
        (2, ["entry"], "2 entries"),
        (2, ["day"], "2 days"),
        (2, ["series", "series"], "2 series"),
    ],
)
def test_a_noun_follows_its_number(n, nouns, words):
    assert count(n, *nouns) == words
