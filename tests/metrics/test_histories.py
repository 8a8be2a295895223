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


def test_traffic_that_stops_is_told_though_its_errors_fall_as_well():
    import numpy as np

    from metric_series import LENGTH, ON, counter, told

    n = np.where(np.arange(LENGTH) < ON, 300.0, 0.0)
    about = {"job": "gateway", "instance": "g:1"}
    found = told(
        counter("http_requests_total", n * 0.98, code="200", **about),
        counter("http_requests_total", n * 0.02, code="500", **about),
    )
    finding = findings(found)["service-degraded"]
    assert "fell" in finding.title
    assert "rose" not in finding.title


def test_instances_that_were_replaced_are_no_dip_of_traffic():
    import numpy as np

    from metric_series import LENGTH, ON, series, told

    every = []
    for pod in range(4):
        old = np.cumsum(np.full(LENGTH, 300.0)).tolist()
        cut = ON + 2 * pod
        every.append(
            series(
                "http_requests_total",
                old[:cut] + [None] * (LENGTH - cut),
                job="web",
                instance=f"a{pod}",
                code="200",
            )
        )
        every.append(
            series(
                "http_requests_total",
                [None] * cut + old[: LENGTH - cut],
                job="web",
                instance=f"b{pod}",
                code="200",
            )
        )
    found = told(*every)
    assert [s for s in found.signals if s.onset is not None] == []


def test_a_job_of_every_hour_that_its_baseline_shows_is_no_incident():
    import numpy as np

    from metric_series import LENGTH, counter, told

    slots = np.arange(LENGTH)
    burst = ((slots - 60) % 240) < 16
    bad = np.random.default_rng(3).binomial(300, np.where(burst, 0.2, 0.002))
    about = {"job": "api", "instance": "a:1"}
    found = told(
        counter("http_requests_total", 300 - bad, code="200", **about),
        counter("http_requests_total", bad, code="500", **about),
    )
    assert [s for s in found.signals if s.onset is not None and s.shape != "periodic"] == []


def test_a_pair_of_servers_counts_once_and_a_heap_has_its_own_limit():
    import numpy as np

    from metric_series import LENGTH, counter, level, series, told

    about = {"job": "web", "instance": "w:1", "code": "200"}
    n = np.full(LENGTH, 150.0)
    (traffic,) = [
        s
        for s in told(
            *(counter("http_requests_total", n, prometheus_replica=r, **about) for r in "ab")
        ).signals
        if s.signal == "traffic"
    ]
    assert traffic.after == pytest.approx(10.0)
    heap = {"area": "heap", "instance": "j:1", "job": "j"}
    found = told(series("jvm_memory_used_bytes", level(1.5e9), id="Old", **heap), series("jvm_memory_used_bytes", level(0.9e9), id="Eden", **heap),
                 series("jvm_memory_max_bytes", level(2e9), id="Old", **heap), series("jvm_memory_max_bytes", level(-1), id="Eden", **heap))  # fmt: skip
    assert all(s.limit is None for s in found.signals if s.resource == "heap")


@pytest.mark.parametrize(("failed", "told_bad"), [(4, False), (40, True)])
def test_a_level_is_called_bad_by_enough_failures_only(failed, told_bad):
    import numpy as np

    from metric_series import LENGTH, counter, told

    bad = np.zeros(LENGTH)
    bad[:: LENGTH // failed] = 1
    ok = np.full(LENGTH, failed * 20 / LENGTH)
    about = {"job": "reports", "instance": "r:1"}
    found = told(
        counter("http_requests_total", ok, code="200", **about),
        counter("http_requests_total", bad, code="500", **about),
    )
    assert ("service-degraded" in findings(found)) == told_bad
