"""The histories of the lab, each from its seeds: the onset, the signal, the rule; and nothing where nothing is."""

from __future__ import annotations

import pytest

from locard.lab.metric_histories import HISTORIES
from metric_series import END, findings, of_book

CHANGED = ["metrics-only", "ramp", "periodic-fault", "alert-fired-late"]


def played(name, seed):
    book = HISTORIES[name](1000 + seed, END)
    return book.planted, of_book(book)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", CHANGED)
def test_what_was_planted_is_found(name, seed):
    planted, found = played(name, seed)
    (signal,) = [
        s
        for s in found.signals
        if s.onset is not None and s.signal == planted.signal and s.metric == planted.family
    ]
    slack = 180 if planted.shape == "ramp" else 30
    assert signal.onset.earliest - slack <= planted.onset <= signal.onset.latest + slack
    assert signal.shape == planted.shape
    assert set(dict(planted.labels).items()) <= set(signal.subject) or planted.signal == "errors"
    assert planted.rule in findings(found)
    others = [
        s
        for s in found.signals
        if s.onset is not None and s.signal in {"errors", "latency"} and s is not signal
    ]
    assert not others


@pytest.mark.parametrize("seed", range(12))
def test_where_nothing_changed_nothing_is_said(seed):
    _, found = played("healthy", seed)
    assert [s.metric for s in found.signals if s.onset is not None] == []
    assert findings(found) == {}


def test_an_alert_that_fired_late_is_told_with_its_onset():
    planted, found = played("alert-fired-late", 1)
    (alert,) = found.alerts
    assert planted.onset < alert.first_pending < alert.firing
    from locard.model.history_words import verdict

    assert any("min before it fired" in words for words in verdict(found))


def test_a_daily_rhythm_is_no_incident():
    import numpy as np

    from locard.metrics.history import Series
    from locard.metrics.same_time_before import DAY_S, told_by_yesterday

    book = HISTORIES["daily-rhythm"](3, END)
    whole = book.rows
    keep = int(2.5 * 3600 / 15)
    start = book.length - keep
    book.rows = [(n, k, labels, [None] * start + v[start:]) for n, k, labels, v in whole]
    found = of_book(book)
    rose = [s for s in found.signals if s.signal == "traffic" and s.onset is not None]
    assert rose  # traffic doubled, within the window
    times = np.array([book.time(i) for i in range(book.length)], float)
    before = [
        Series(
            n,
            tuple(sorted(labels.items())),
            times[times < END - DAY_S],
            np.array(v, float)[times < END - DAY_S],
        )
        for n, _, labels, v in whole
    ]
    told = told_by_yesterday(found, before)
    assert [s for s in told.signals if s.onset is not None] == []
    assert any("daily rhythm" in s.detail for s in told.signals)
    assert all("day before" in c.note for c in told.changed)
    assert findings(told) == {}
