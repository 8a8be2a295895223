"""An alert is as old as its first pending, whatever reset it since."""

from __future__ import annotations

import pytest

from locard.metrics.alerts import read_alerts, threshold_of
from metric_series import END, LENGTH, STEP, history, series


def at(slot):
    return END - (LENGTH - 1 - slot) * STEP


def alert(pending, firing, **rule):
    def row(state, slots):
        values = [1.0 if i in slots else None for i in range(LENGTH)]
        return series("ALERTS", values, alertname="Bad", alertstate=state)

    rules = [{"name": "Bad", "type": "alerting", **rule}] if rule else []
    return read_alerts(history(row("pending", pending), row("firing", firing), rules=rules))


def test_a_pending_that_was_lost_in_a_gap_is_still_the_first():
    (found,) = alert([*range(400, 440), *range(480, 540)], range(540, LENGTH), duration=900)
    assert found.first_pending == at(400)
    assert found.firing == at(540)
    assert found.pending_lost[0] == at(439)
    assert (found.for_s, found.now) == (900, "firing")


def test_an_alert_of_hours_ago_is_another_story():
    (found,) = alert([*range(10, 20), *range(480, 540)], range(540, LENGTH))
    assert found.first_pending == at(480)
    assert found.pending_lost == ()


def test_one_that_was_there_from_the_start_has_no_first():
    (found,) = alert([], range(LENGTH))
    assert found.first_pending is None


def test_one_that_ended_is_inactive():
    (found,) = alert(range(400, 440), range(440, 500))
    assert found.now == "inactive"


def test_an_alertmanager_knows_only_when_it_fired():
    read = history()
    read.fired = [((("alertname", "Disk"),), at(500))]
    (found,) = read_alerts(read)
    assert (found.name, found.first_pending, found.firing) == ("Disk", None, at(500))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("a:b > 0.05", ("a:b", ">", 0.05)),
        ("x<=1e3", ("x", "<=", 1000.0)),
        ("rate(x[5m]) > 1", None),
        ("", None),
        ("x > y", None),
    ],
)
def test_the_threshold_of_a_rule(query, found):
    assert threshold_of({"query": query}) == found
