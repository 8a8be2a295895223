"""Golden signals by convention: what is served, what is called, what is full."""

from __future__ import annotations

import pytest

from locard.metrics import conventions
from locard.metrics.golden import Scrape, signals
from locard.metrics.text_format import parse


def golden(first, second=None):
    later = Scrape(102.0, parse(second)) if second is not None else None
    return signals(Scrape(100.0, parse(first)), later)


def only(found, signal, **subject):
    wanted = set(subject.items())
    (one,) = [s for s in found if s.signal == signal and wanted <= set(s.subject)]
    return one


@pytest.mark.parametrize(
    ("name", "labels", "kind"),
    [
        ("http_server_request_duration_seconds", (("server_address", "me"),), "server"),
        ("http_client_request_duration_seconds", (("server_address", "bank"),), "client"),
        ("http_requests", (("status", "200"),), "server"),
        ("grpc_client_handled", (("grpc_code", "OK"),), "client"),
        ("http_server_requests_seconds", (), "server"),
        ("envoy_cluster_upstream_rq", (("envoy_cluster_name", "a"),), "client"),
        ("call_duration_seconds", (("peer_service", "a"),), "client"),
        ("process_open_fds", (), None),
        ("http_request_size_bytes", (), None),
        ("http_requests_in_progress", (), None),
        ("gc_duration_seconds", (), None),
    ],
)
def test_families_are_told_by_their_names(name, labels, kind):
    assert conventions.call_kind(name, labels) == kind


@pytest.mark.parametrize(
    ("label", "error"),
    [
        (("status", "500"), True),
        (("http_response_status_code", "404"), False),
        (("grpc_code", "Unavailable"), True),
        (("grpc_code", "OK"), False),
        (("envoy_response_code_class", "5"), True),
        (("status", "timeout"), True),
        (("error_type", "ConnectionError"), True),
        (("exception", "None"), False),
        (("outcome", "SUCCESS"), False),
    ],
)
def test_errors_are_told_by_their_labels(label, error):
    assert conventions.is_error((label,)) is error


def test_units_of_durations():
    assert conventions.seconds("http_request_duration_seconds") == 1.0
    assert conventions.seconds("http_server_duration_milliseconds") == 1e-3
    assert conventions.seconds("envoy_cluster_upstream_rq_time") == 1e-3
    assert conventions.seconds("http_response_size") is None


BEFORE = """
http_requests_total{status="200"} 900
http_requests_total{status="500"} 100
process_start_time_seconds 50
process_open_fds{pid="7"} 10
process_max_fds{pid="7"} 100
process_cpu_seconds_total{pid="7"} 5
db_pool_connections_active 3
db_pool_connections_max 8
job_queue_depth 4
"""


def test_errors_traffic_and_saturation():
    after = BEFORE.replace("} 900", "} 950").replace("} 100\nprocess_s", "} 150\nprocess_s")
    after = after.replace("active 3", "active 8").replace("} 5\ndb", "} 6\ndb")
    found = golden(BEFORE, after)
    errors = only(found, "errors", kind="server")
    assert (errors.before, errors.now, errors.count) == (0.1, 0.5, 100)
    assert errors.detail == "50 of 100 now, 100 of 1000 before"
    traffic = only(found, "traffic", kind="server")
    assert (traffic.before, traffic.now) == (20.0, 50.0)
    full = {s.metric: s for s in found if s.signal == "saturation"}
    assert full["process_open_fds"].limit == 100
    assert (full["db_pool_connections_active"].now, full["db_pool_connections_active"].limit) == (
        8,
        8,
    )
    assert full["job_queue_depth"].now == 4
    assert full["process_cpu_seconds_total"].now == 0.5


def test_a_restart_between_the_scrapes_is_no_negative_rate():
    found = golden(
        'http_requests_total{status="200"} 900\n', 'http_requests_total{status="200"} 6\n'
    )
    assert only(found, "traffic").now == 3.0


def test_one_scrape_compares_nothing():
    found = golden(BEFORE)
    assert only(found, "traffic", kind="server").now is None
    assert only(found, "errors", kind="server").now is None


HISTOGRAM = """
http_client_request_duration_seconds_bucket{{upstream="{name}",le="0.1"}} {fast}
http_client_request_duration_seconds_bucket{{upstream="{name}",le="1"}} {all}
http_client_request_duration_seconds_bucket{{upstream="{name}",le="+Inf"}} {all}
http_client_request_duration_seconds_sum{{upstream="{name}"}} {sum}
http_client_request_duration_seconds_count{{upstream="{name}"}} {all}
"""


def page(name, fast, slow):
    return HISTOGRAM.format(name=name, fast=fast, all=fast + slow, sum=fast * 0.02 + slow * 0.6)


def test_each_upstream_is_a_subject_of_its_own():
    found = golden(page("a", 1000, 10) + page("b", 500, 0), page("a", 1020, 30) + page("b", 530, 0))
    slow = only(found, "latency", upstream="a", statistic="share_over")
    assert (slow.limit, slow.now, slow.count) == (0.1, 0.5, 40)
    assert slow.before == pytest.approx(10 / 1010)
    assert slow.p_value < 1e-9
    p99 = only(found, "latency", upstream="a", statistic="p99")
    assert p99.detail == "before in the bucket 0 to 0.1 s, now in the bucket 0.1 to 1 s"
    assert only(found, "latency", upstream="b", statistic="mean").now == pytest.approx(0.02)
    still = only(found, "latency", upstream="b", statistic="share_over")
    assert (still.now, still.p_value) == (0.0, 1.0)


def test_series_that_appear_between_the_scrapes_count():
    found = golden(page("a", 10, 0), page("a", 10, 0) + page("b", 5, 5))
    late = only(found, "latency", upstream="b", statistic="mean")
    assert late.before is None
    assert late.now == pytest.approx(0.31)
