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
        (("http.status_code", "503"), True),
        (("rpc.grpc.status_code", "Unavailable"), True),
    ],
)
def test_errors_are_told_by_their_labels(label, error):
    assert conventions.is_error((label,)) is error


def test_units_of_durations():
    assert conventions.seconds("http_request_duration_seconds") == 1.0
    assert conventions.seconds("http_server_duration_milliseconds") == 1e-3
    assert conventions.seconds("envoy_cluster_upstream_rq_time") == 1e-3
    assert conventions.seconds("http_response_size") is None
    assert conventions.seconds("http.server.request.duration") == 1.0
    assert conventions.seconds("http.server.duration") == 1e-3, (
        "as OpenTelemetry counted before 1.21"
    )
    assert conventions.seconds("http.server.duration", "s") == 1.0
    assert conventions.seconds("anything.asked.requests", "ms") == 1e-3
    assert conventions.seconds("anything.asked.requests", "By") is None


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


def test_a_quantile_above_the_last_bound_is_no_number():
    found = golden(
        page("a", 1000, 0),
        page("a", 1000, 0).replace('"+Inf"} 1000', '"+Inf"} 1100').replace("} 1000\n", "} 1000\n"),
    )
    p99 = only(found, "latency", upstream="a", statistic="p99")
    assert (p99.now, p99.now_in) == (None, (1.0, None))
    assert (p99.before, p99.before_in) == (None, (None, 0.1))
    assert p99.detail == "before <= 0.1 s, nothing finer, now > 1 s"
    assert only(found, "latency", upstream="a", statistic="share_over").now == 1.0


SUMMARY = """
# TYPE http_server_request_duration_seconds summary
http_server_request_duration_seconds{{route="/a",quantile="0.99"}} {a}
http_server_request_duration_seconds_sum{{route="/a"}} {sum}
http_server_request_duration_seconds_count{{route="/a"}} {count}
http_server_request_duration_seconds{{route="/b",quantile="0.99"}} NaN
http_server_request_duration_seconds_sum{{route="/b"}} 0
http_server_request_duration_seconds_count{{route="/b"}} 0
"""


def test_quantiles_of_summaries_are_shown_for_each_series_and_never_added():
    found = golden(SUMMARY.format(a=0.1, sum=1, count=10), SUMMARY.format(a=0.9, sum=5, count=20))
    p99 = only(found, "latency", statistic="p99")
    assert dict(p99.subject)["route"] == "/a"
    assert (p99.before, p99.now) == (0.1, 0.9)
    mean = only(found, "latency", statistic="mean")
    assert (mean.before, mean.now, mean.count) == (0.1, 0.4, 10)
    assert not [s for s in found if dict(s.subject).get("statistic") == "p50"]


DOTTED = """
# TYPE "http.server.request.duration" histogram
# UNIT "http.server.request.duration" {unit}
{{"http.server.request.duration_bucket","http.response.status_code"="500",le="0.1"}} {low}
{{"http.server.request.duration_bucket","http.response.status_code"="500",le="+Inf"}} {all}
{{"http.server.request.duration_sum","http.response.status_code"="500"}} {all}
{{"http.server.request.duration_count","http.response.status_code"="500"}} {all}
"""
UNDERSCORED = """
http_server_request_duration_seconds_bucket{{http_response_status_code="500",le="0.1"}} {low}
http_server_request_duration_seconds_bucket{{http_response_status_code="500",le="+Inf"}} {all}
http_server_request_duration_seconds_sum{{http_response_status_code="500"}} {all}
http_server_request_duration_seconds_count{{http_response_status_code="500"}} {all}
"""


def test_names_of_opentelemetry_say_the_same_dotted_and_underscored():
    def told(text):
        first, second = ({"low": n, "all": 2 * n, "unit": "s"} for n in (10, 20))
        return [
            (s.signal, s.subject, s.before, s.now, s.count, s.limit)
            for s in golden(text.format(**first), text.format(**second))
        ]

    assert told(DOTTED) == told(UNDERSCORED)
    assert {s[0] for s in told(DOTTED)} == {"latency", "traffic", "errors"}


def test_the_unit_that_the_page_says_counts():
    in_ms = golden(DOTTED.format(unit="ms", low=10, all=20))
    assert only(in_ms, "latency", statistic="mean").before == 0.001


EXEMPLARS = """
http_requests_total{{status="500"}} {n} # {{trace_id="failed"}} 1
http_requests_total{{status="200"}} 9 # {{trace_id="fine"}} 1
http_request_duration_seconds_bucket{{le="0.1"}} {n} # {{trace_id="quick"}} 0.05
http_request_duration_seconds_bucket{{le="+Inf"}} {more}{slow}
http_request_duration_seconds_sum 8
"""


def test_exemplars_of_the_slowest_bucket_and_of_failed_calls():
    first = EXEMPLARS.format(n=5, more=6, slow=' # {trace_id="old"} 3')
    found = golden(first, EXEMPLARS.format(n=6, more=8, slow=' # {trace_id="new"} 2'))
    p99 = only(found, "latency", statistic="p99")
    assert p99.exemplars == ("new",)
    assert p99.detail.endswith("the slowest exemplar 2 s")
    assert only(found, "errors").exemplars == ("failed",)
    same = only(golden(first, first), "latency", statistic="p99")
    assert same.exemplars == ("old",)
    assert same.detail.endswith("the slowest exemplar 3 s, from before")
    quick = EXEMPLARS.format(n=5, more=9, slow=' # {trace_id="old"} 3').replace("quick", "other")
    late = only(golden(first, quick), "latency", statistic="p99")
    assert late.exemplars == ("old",), "a quick call that is new says nothing of the slow ones"


def test_native_histograms_count_and_are_told_between_bounds():
    line = 'http_server_request_duration_seconds{{status="{s}"}} {{count:{n},sum:{n},schema:0,positive_spans:[1:1],positive_buckets:[{n}]}}\n'
    both = [line.format(s="500", n=n) + line.format(s="200", n=3 * n) for n in (10, 20)]
    found = golden(*both)
    p99 = only(found, "latency", statistic="p99")
    assert (p99.now_in, p99.count) == ((1.0, 2.0), 40)
    assert 1 < p99.now <= 2
    assert only(found, "errors").now == 0.25
    assert only(found, "traffic").count == 40


def test_after_a_restart_all_is_new_though_no_count_fell():
    first, second = (
        Scrape(100.0, parse(BEFORE)),
        Scrape(102.0, parse(BEFORE.replace("} 900", "} 905").replace("seconds 50", "seconds 101"))),
    )
    found = signals(first, second, anew=True)
    assert only(found, "traffic").count == 1005
    assert only(found, "traffic").now == 1005.0  # in the second since the start


def test_limits_of_gauges_with_dotted_names():
    (full,) = golden('{"db.pool.connections.active"} 3\n{"db.pool.connections.max"} 8\n')
    assert (full.metric, full.now, full.limit) == ("db.pool.connections.active", 3.0, 8.0)


def test_what_a_page_says_is_no_gauge_fills_nothing():
    lines = "# TYPE pool_workers_busy {kind}\npool_workers_busy 1\n"
    assert [s.now for s in golden(lines.format(kind="gauge"))] == [1.0]
    for kind in ("info", "stateset", "counter"):
        assert not golden(lines.format(kind=kind)), kind


def test_the_page_itself_is_left_out_of_native_histograms_too():
    line = 'http_server_request_duration_seconds{{http_route="{path}"}} {{count:5,sum:1,schema:0,positive_spans:[0:1],positive_buckets:[5]}}\n'
    page = parse(line.format(path="/metrics") + line.format(path="/pay"))
    found = signals(Scrape(100.0, page), None, own_path="/metrics")
    assert only(found, "traffic").detail == "5 before"
