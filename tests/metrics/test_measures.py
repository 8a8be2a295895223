"""Golden signals by the names of the series: what belongs together, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from locard.metrics import saturation_table
from locard.metrics.measures import of_requests
from locard.metrics.saturation import of_resources
from metric_series import LENGTH, ON, counter, grid, level, series, traffic


def _all(found):
    return [*of_requests(found), *of_resources(found)]


UP = {"job": "pay", "instance": "pay-a:80"}


def of(signal, *every, **about):
    return [
        m
        for m in _all(grid(*every))
        if m.signal == signal and all(getattr(m, k) == v for k, v in about.items())
    ]


@pytest.mark.parametrize(
    ("name", "label", "bad", "good"),
    [
        ("http_requests_total", "code", "500", "200"),
        ("http.server.requests", "http.response.status_code", "503", "404"),
        ("grpc_server_handled_total", "grpc_code", "Unavailable", "OK"),
        ("payment_requests_total", "outcome", "error", "ok"),
        ("istio_requests_total", "response_code", "502", "301"),
    ],
)
def test_the_share_of_errors(name, label, bad, good):
    (one,) = of("errors", counter(name, np.full(LENGTH, 9), **UP, **{label: good}),
                counter(name, np.full(LENGTH, 3), **UP, **{label: bad}))  # fmt: skip
    assert np.nanmedian(one.values) == pytest.approx(0.25)
    assert (np.nansum(one.total), np.nansum(one.bad)) == (12 * (LENGTH - 1), 3 * (LENGTH - 1))


def test_what_counts_failures_only_is_no_ratio_of_itself():
    errors = counter("nginx_upstream_responses_total", np.full(LENGTH, 5), code="502", **UP)
    assert not of("errors", errors)
    (one,) = of("errors", errors, counter("nginx_http_requests_total", np.full(LENGTH, 100), **UP))
    assert np.nanmedian(one.values) == pytest.approx(0.05)
    assert "nginx_http_requests" in one.detail


def test_without_status_nothing_is_said_of_errors():
    assert not of("errors", counter("http_requests_total", traffic(50), **UP))


def test_a_slot_in_which_one_instance_has_no_sample_is_no_fall_of_traffic():
    values = np.cumsum(np.full(LENGTH, 30.0)).tolist()
    values[ON : ON + 10] = [None] * 10
    (one,) = of("traffic", counter("http_requests_total", np.full(LENGTH, 30), job="pay", instance="a"),
                series("http_requests_total", values, job="pay", instance="b"))  # fmt: skip
    assert np.nanmin(one.values) == pytest.approx(4.0)
    assert np.isnan(one.values[ON : ON + 10]).all()


def buckets(bounds, growth, **labels):
    name = "http_request_duration_seconds"
    every = [
        counter(f"{name}_bucket", g, le=b, **labels) for b, g in zip(bounds, growth, strict=True)
    ]
    return [
        *every,
        counter(f"{name}_count", growth[-1], **labels),
        counter(f"{name}_sum", growth[-1] * 0.2, **labels),
    ]


def test_buckets_of_several_instances_are_added():
    n = np.full(LENGTH, 100.0)
    every = [
        s
        for i in range(3)
        for s in buckets(
            ("0.1", "1", "+Inf"), (n * 0.8, n * 0.98, n), job="pay", instance=f"pay-{i}"
        )
    ]
    (one,) = of("latency", *every)
    assert one.buckets.bounds[:2] == (0.1, 1.0)
    assert np.nanmedian(one.total) == 300
    assert one.slow_over == 1.0  # the lowest bound that all but a few stay below
    assert np.nanmedian(one.values) == pytest.approx(0.2)


def test_bounds_that_differ_are_not_added():
    n = np.full(LENGTH, 100.0)
    every = [*buckets(("0.1", "+Inf"), (n * 0.8, n), job="pay", instance="a"),
             *buckets(("0.2", "+Inf"), (n * 0.8, n), job="pay", instance="b")]  # fmt: skip
    assert not [m for m in of("latency", *every) if m.buckets is not None]


def test_a_pool_with_its_limit_and_those_who_wait():
    about = {"application": "orders", "instance": "o:1", "pool": "P"}
    every = [
        series("hikaricp_connections_active", level(4, 10), **about), series("hikaricp_connections_max", level(10), **about),
        series("hikaricp_connections_pending", level(0, 50), **about),
        series("hikaricp_connections_max", level(99), **{**about, "pool": "Other"}),
    ]  # fmt: skip
    (pool,) = of("saturation", *every, resource="pool")
    assert np.nanmax(pool.limit) == 10
    assert len(of("saturation", *every, resource="pool waiting")) == 1


def test_no_limit_is_not_a_huge_one():
    about = {"namespace": "n", "pod": "p", "container": "c"}
    every = [series("container_memory_rss", level(1e9), **about),
             series("container_spec_memory_limit_bytes", level(9.2e18), **about)]  # fmt: skip
    (rss,) = of("saturation", *every, resource="rss")
    assert rss.limit is None


def test_cpu_of_its_quota():
    about = {"namespace": "n", "pod": "p", "container": "c"}
    every = [counter("container_cpu_usage_seconds_total", np.full(LENGTH, 7.5), **about),
             series("container_spec_cpu_quota", level(50000), **about),
             series("container_spec_cpu_period", level(100000), **about)]  # fmt: skip
    (cpu,) = of("saturation", *every, resource="cpu of limit")
    assert np.nanmedian(cpu.values) == pytest.approx(0.5)
    assert np.nanmedian(cpu.limit) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "labels", "resource"),
    [
        ("process_open_fds", {}, "fds"),
        ("process.unix.file_descriptor.count", {}, "fds"),
        ("db_client_connections_usage", {"state": "used"}, "pool"),
        ("db.client.connection.count", {"db.client.connection.state": "used"}, "pool"),
        ("db_client_connections_usage", {"state": "idle"}, None),
        ("jvm_memory_used_bytes", {"area": "heap"}, "heap"),
        ("jvm_memory_used_bytes", {"area": "nonheap"}, None),
        ("go_goroutines", {}, "goroutines"),
        ("nodejs_eventloop_lag_p99_seconds", {}, "event loop"),
        ("kafka_consumergroup_lag", {}, "queue"),
        ("render_queue_depth", {}, "queue"),
        ("render_queue_depth_max", {}, None),
        ("queue_wait_seconds_bucket", {}, None),
        ("pg_stat_activity_count", {}, "connections"),
        ("http_requests_total", {}, None),
    ],
)
def test_what_is_full_by_its_name(name, labels, resource):
    known = saturation_table.conventions_of(name, labels)
    assert (known.resource if known else None) == resource


def test_every_line_of_the_table_has_its_source_and_compiles():
    for line in saturation_table.TABLE:
        assert line.source
        assert line.form in {"level", "rate", "mean"}
        assert not (line.limit and line.over)
