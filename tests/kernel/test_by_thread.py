"""Rows of threads: what is not listed is summed up, and nothing is lost."""

from __future__ import annotations

from locard.kernel import _by_thread
from locard.model.kernel_facts import Row


def _row(what, tid, thread="", seconds=1.0, **more):
    return Row(what, thread=thread, pid=7, tid=tid, count=2, total_s=seconds, **more)


def test_short_lived_threads_are_one_row_for_each_call_with_how_many_they_were():
    short = [_row("futex", k, max_s=k / 1e6, errors=1) for k in range(100, 1600)]
    main = _row("read", 7, "main", 2000.0, p50_s=1.0)
    first, second = _by_thread.listed([*short, main])
    assert first == main
    assert (second.thread, second.threads, second.count) == ("(short-lived)", 1500, 3000)
    assert (second.total_s, second.errors, second.max_s) == (1500.0, 1500, 1599 / 1e6)
    assert second.tid is None
    assert second.p50_s is None


def test_what_is_beyond_the_most_is_one_row():
    rows = [_row("read" if k % 2 else "write", k, f"w-{k}", 100.0 - k) for k in range(10)]
    (*listed, rest) = _by_thread.listed(rows, 4)
    assert [r.tid for r in listed] == [0, 1, 2, 3]
    assert (rest.thread, rest.what, rest.threads, rest.count) == ("(others)", "various", 6, 12)
    assert sum(r.total_s for r in (*listed, rest)) == sum(r.total_s for r in rows)


def test_few_threads_without_a_name_stay_what_they_are():
    rows = tuple(_row("read", k) for k in (8, 9))
    assert _by_thread.listed(rows) == rows


def test_what_is_not_known_of_any_stays_unknown_and_a_value_of_one_is_none_of_all():
    rows = [
        Row("opens", count=1, tid=n, thread="t", value=5.0, outcomes=(("ok", 1),)) for n in range(4)
    ]
    (_, others) = _by_thread.listed(rows, most=1)
    assert (others.errors, others.total_s, others.value, others.outcomes) == (None, None, None, ())
    rows = [
        Row("read", count=1, tid=n, thread="t", total_s=0.5 if n else None, errors=n or None)
        for n in range(4)
    ]
    (_, others) = _by_thread.listed(rows, most=1)
    assert (others.total_s, others.errors) == (
        1.0,
        5,
    )  # of threads 2, 3 and 0, of which nothing is known
