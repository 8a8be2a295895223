"""What happened, read from the series; and what only looks as if it had."""

from __future__ import annotations

import numpy as np

from locard.metrics.events import all_events
from locard.metrics.grid import lay_out
from metric_series import END, LENGTH, ON, STEP, counter, history, level, series

UP = {"job": "pay", "instance": "pay-a:80"}


def events(*every, **fields):
    read = history(*every, **fields)
    return {e.kind: e for e in all_events(lay_out(read), read)}


def at(slot):
    return END - (LENGTH - 1 - slot) * STEP


def test_a_restart_loop_is_told_with_how_often():
    starts = [END - 1e6 if i < ON else at(i - (i - ON) % 12) for i in range(LENGTH)]
    found = events(series("container_start_time_seconds", starts, pod="api-3", namespace="n"))
    assert found["restart"].count == 7
    assert found["restart"].name == "api-3"
    assert "every 180 s" in found["restart"].what
    assert "restart" not in events(
        series("container_start_time_seconds", [END - 1e6] * LENGTH, pod="api-3")
    )


def test_workers_are_no_restarts():
    xs = np.random.default_rng(2).integers(0, 100, LENGTH)
    starts = [END - 1e5 + (x % 2 if i < 300 else x % 12) * 7 for i, x in enumerate(xs)]
    found = events(series("process_start_time_seconds", starts, **UP))
    assert set(found) == {"workers"}
    assert "about 2 processes" in found["workers"].what
    assert "about 12 after" in found["workers"].what
    assert abs(found["workers"].at - at(300)) < 20 * STEP


def test_a_monitor_that_was_replaced_is_no_restart_of_what_it_watches():
    every = []
    for pod in ("a", "b"):
        old, new = (
            [3.0] * (ON + 16) + [None] * (LENGTH - ON - 16),
            [None] * ON + [3.0] * (LENGTH - ON),
        )
        every += [series("kube_pod_container_status_restarts_total", v, job="ksm", instance=i, pod=pod)
                  for i, v in (("10.0.0.8:80", old), ("10.0.0.9:80", new))]  # fmt: skip
    found = events(*every)
    assert set(found) == {"monitor replaced"}
    assert "both scraped for 4 min" in found["monitor replaced"].what


def test_new_and_gone_instances():
    every = [counter("x_total", np.ones(LENGTH), job="pay", instance="a"),
             series("x_total", [None] * ON + list(range(LENGTH - ON)), job="pay", instance="d")]  # fmt: skip
    assert "pay/d is scraped for the first time" in events(*every)["new instance"].what
    every[1] = series("x_total", list(range(ON)) + [None] * (LENGTH - ON), job="pay", instance="d")
    assert "pay/d is not scraped any more" in events(*every)["instance gone"].what


def test_a_history_that_ends_for_all_is_nobody_gone():
    every = [
        series("x_total", list(range(ON)) + [None] * (LENGTH - ON), job="pay", instance=i)
        for i in "ab"
    ]
    assert "instance gone" not in events(*every)


def test_a_limit_that_was_changed():
    about = {"container": "checkout", "pod": "p-1"}
    found = events(series("container_spec_cpu_quota", level(200000, 50000), **about))
    assert found["limit"].at == at(ON)
    assert "200000 → 50000" in found["limit"].what
    wanders = events(series("container_spec_cpu_quota", level(200000, 50000, noise=10), **about))
    assert "limit" not in wanders


def test_scrapes_that_failed_are_neither_good_nor_bad():
    up = [0.0 if ON <= i < ON + 34 else 1.0 for i in range(LENGTH)]
    values = [None if ON <= i < ON + 34 else float(i) for i in range(LENGTH)]
    found = events(series("up", up, **UP), series("x_total", values, **UP))
    assert "up is 0" in found["gap"].what
    assert "8.5 min" in found["gap"].what


def test_a_rule_that_is_newer_than_what_it_is_about():
    rule = {"name": "Bad", "type": "alerting", "duration": 900, "query": "job:errors:ratio > 0.05"}

    def asked(ratio):
        pending = [None] * ON + [1.0] * (LENGTH - ON)
        alert = series("ALERTS", pending, alertname="Bad", alertstate="pending")
        return events(
            series("job:errors:ratio", ratio), series("up", level(1.0), **UP), alert, rules=[rule]
        )

    assert "held already before it was pending" in asked(level(0.065))["rule"].what
    assert "rule" not in asked(level(0.01, 0.09))


def test_readiness_that_comes_and_goes():
    ready = [0.0 if i >= ON and (i - ON) % 12 < 5 else 1.0 for i in range(LENGTH)]
    found = events(series("kube_pod_status_ready", ready, pod="api-3", condition="true", job="ksm"))
    assert found["readiness"].count == 7
    once = [0.0 if i >= ON else 1.0 for i in range(LENGTH)]
    assert "readiness" not in events(
        series("kube_pod_status_ready", once, pod="api-3", condition="true", job="ksm")
    )


def test_a_version_that_came_within_the_window():
    old = [1.0] * ON + [None] * (LENGTH - ON)
    new = [None] * ON + [1.0] * (LENGTH - ON)
    found = events(
        series("app_build_info", old, version="1.4", **UP),
        series("app_build_info", new, version="1.5", job="pay", instance="b"),
    )
    assert "pay has version 1.5, before it 1.4" in found["version"].what
    assert "version" not in events(series("app_build_info", [1.0] * LENGTH, version="1.4", **UP))
