"""Envoy and Istio: the access log in its default format, and Envoy's own log.

Source: the default format strings that Envoy and Istio document.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, Dialect, LineSample, Pick, TextFormat

TEXT = (
    TextFormat(
        rf"\[(?P<time>{ISO})\] "
        r'"(?P<method>\S+) (?P<path>\S+) (?P<protocol>[^"]+)" '
        r'(?P<status>\d{1,3}) (?P<response_flags>\S+) (?:(?P<details>\S+) \S+ "(?P<failure>(?:[^"\\]|\\.)*)" )?'
        r"(?P<bytes_in>\d+) (?P<bytes>\d+) (?P<duration_ms>\d+) (?P<served_ms>\d+|-) "
        r'"(?P<forwarded_for>[^"]*)" "(?P<user_agent>(?:[^"\\]|\\.)*)" "(?P<request_id>[^"]*)" '
        r'"(?P<authority>[^"]*)" "(?P<upstream_host>[^"]*)"(?: (?P<upstream_cluster>\S+) .*)?',
        words=('" ',),
        rank=60,
    ),
    TextFormat(
        rf"\[(?P<time>{ISO})\]\[(?P<thread>\d+)\]\[(?P<level>[a-z]+)\]\[(?P<logger>[\w.-]+)\] "
        r"(?:\[(?P<source>[^\]\s]+:\d+)\] )?(?P<message>.*)",
        words=("][",),
        rank=60,
    ),
)

DIALECT = Dialect(
    ("response_code", "response_flags"),
    {
        "time": (Pick("start_time"), Pick("timestamp")),
        "status": Pick("response_code"),
        "duration": Pick("duration", "ms"),
        "endpoint": (Pick("path"), Pick("x_envoy_original_path")),
        "trace_id": Pick("request_id"),
        "upstream": (Pick("upstream_cluster"), Pick("upstream_host")),
    },
)

SAMPLES = (
    LineSample(
        '{"start_time":"2025-11-22T12:00:03.250Z","method":"GET","path":"/pay","response_code":503,"response_flags":"UF","duration":4,'
        '"bytes_sent":154,"upstream_service_time":null,"upstream_cluster":"outbound|80||pay.shop","request_id":"4b0a"}',
        {"time": 1763812803.25, "status": 503, "duration_ms": 4.0, "endpoint": "/pay", "trace_id": "4b0a"},
    ),
    LineSample(
        '[2025-11-22T12:00:00.250Z] "GET /orders/7 HTTP/1.1" 503 UF 0 154 2014 - "10.0.35.28" "curl/8" '
        '"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "shop" "10.0.2.1:80"',
        {"time": 1763812800.25, "status": 503, "duration_ms": 2014.0, "endpoint": "/orders/7",
         "upstream_host": "10.0.2.1:80", "response_flags": "UF", "served_ms": None,
         "trace_id": "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2"},
    ),
    LineSample(
        '[2025-11-22T12:00:01.000Z] "POST /pay HTTP/2" 200 - via_upstream - "-" 12 154 14 12 "-" "curl/8" '
        '"dd21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "shop:9080" "10.0.2.1:80" outbound|9080||pay.shop 10.4.0.2:4 10.0.0.1:9080 10.4.0.2:3 - default',
        {"status": 200, "upstream_cluster": "outbound|9080||pay.shop", "details": "via_upstream"},
    ),
    LineSample(
        "[2025-11-22 12:00:02.500][1][warning][upstream] [source/common/upstream/cds.cc:71] no healthy host",
        {"time": 1763812802.5, "level": "warning", "logger": "upstream", "message": "no healthy host"},
    ),
)  # fmt: skip

NEAR_MISSES = (
    '[2025-11-22T12:00:00Z] "GET / HTTP/1.1" 200',
    "[2025-11-22T12:00:00Z][main][info] ready",
)
