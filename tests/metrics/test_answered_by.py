"""Who answered several scrapes: one process, a new one, or several in turn."""

from __future__ import annotations

import pytest

from locard.metrics.answered_by import doubtful, judge
from locard.metrics.golden import Scrape
from locard.metrics.text_format import parse

NOW = 1_800_000_000.0


def scrapes(*pages):
    """Each page is (start time, count)."""
    return [
        Scrape(
            NOW + n,
            parse(
                (f"process_start_time_seconds {start}\n" if start else "") + f"a_total {count}\n"
            ),
        )
        for n, (start, count) in enumerate(pages)
    ]


OLD = NOW - 5000


@pytest.mark.parametrize(
    ("pages", "how"),
    [
        ([(OLD, 5), (OLD, 9)], "one"),
        ([(OLD, 5), (OLD + 31, 9), (OLD, 6)], "in turn"),
        ([(OLD, 5), (OLD + 31, 9), (OLD, 10)], "shared"),
        ([(OLD, 5), (OLD + 62, 9), (OLD + 31, 10)], "in turn"),
        ([(OLD, 5), (NOW + 0.5, 1), (NOW + 0.5, 2)], "restarted"),
        ([(OLD, 5), (NOW + 0.5, 1), (NOW + 1.5, 1)], "restarted"),
        ([(OLD, 5), (OLD + 31, 9), (OLD + 31, 10)], "untold"),
        ([(OLD, 5), (OLD, 3)], "untold"),
        ([(0, 5), (0, 7)], "one"),
        ([(0, 5), (0, 2), (0, 3)], "untold"),
        ([(0, 5), (0, 2), (0, 6), (0, 3)], "in turn"),
        ([(OLD, 0), (OLD + 31, 0), (OLD, 0)], "in turn"),
    ],
)
def test_told_by_start_times_and_counts(pages, how):
    taken = scrapes(*pages)
    found = judge(taken)
    assert (found.how, found.scrapes) == (how, len(pages))
    assert found.starts == tuple(sorted({start for start, _ in pages if start}))
    assert doubtful(*taken[:2]) is (how != "one")


def test_when_series_were_created_stands_for_a_start_time():
    pages = [f"# TYPE a counter\na_total 5\na_created {OLD + n}\n" for n in (0, 31, 0)]
    taken = [Scrape(NOW + n, parse(p)) for n, p in enumerate(pages)]
    assert judge(taken).how == "shared"
    assert judge(taken).starts == (OLD, OLD + 31)


def test_a_gauge_may_fall():
    taken = [
        Scrape(NOW + n, parse(f"# TYPE pool_count gauge\npool_count {5 - n}\nqueue {5 - n}\n"))
        for n in (0, 1)
    ]
    assert not doubtful(*taken)
    assert judge(taken).how == "one"


def test_a_native_histogram_that_fell():
    taken = [Scrape(NOW + n, parse(f"h {{count:{5 - n},sum:1,schema:0}}\n")) for n in (0, 1)]
    assert doubtful(*taken)
