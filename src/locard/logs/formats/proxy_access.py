"""Access logs of Traefik, ingress-nginx, Squid, Gin and morgan, which go beyond the common form.

Source: the default formats that these five document.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_COMMON = (
    r"(?P<remote_addr>[\w.:-]+) \S+ (?P<user>\S+) \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
    r'"(?P<method>[A-Z]{3,16}) (?P<path>\S+)(?: (?P<protocol>HTTP/[\d.]+))?" (?P<status>\d{3}) (?P<bytes>\d+|-) '
    r'"(?P<referer>[^"]*)" "(?P<user_agent>[^"]*)" '
)
_CLF = "%d/%b/%Y:%H:%M:%S %z"

TEXT = (
    TextFormat(
        _COMMON + r'\d+ "(?P<router>[^"]*)" "(?P<upstream>[^"]*)" (?P<duration_ms>\d+)ms',
        time=_CLF,
        rank=60,
    ),
    TextFormat(
        _COMMON
        + r"(?P<request_length>\d+) (?P<request_time_s>[\d.]+) \[(?P<upstream>[^\]]*)\] \[[^\]]*\] "
        r"(?P<upstream_addr>\S+) \S+ (?P<upstream_time_s>\S+) (?P<upstream_status>\S+) (?P<request_id>\S+)",
        time=_CLF,
        rank=60,
    ),
    TextFormat(
        r"(?P<time>\d{9,10}\.\d{3}) +(?P<duration_ms>\d+) (?P<client>\S+) (?P<cache>[A-Z_]+)/(?P<status>\d{3}) "
        r"(?P<bytes>\d+) (?P<method>[A-Z_]+) (?P<path>\S+) (?P<user>\S+) (?P<hierarchy>\w+)/(?P<upstream>\S+) .*",
        rank=60,
    ),
    TextFormat(
        r"\[GIN\] (?P<time>\d{4}/\d\d/\d\d - \d\d:\d\d:\d\d) \| +(?P<status>\d{3}) \| +(?P<duration>\S+) \| +"
        r'(?P<client>\S+) \| (?P<method>[A-Z]+) +"(?P<path>[^"]*)".*',
        time="%Y/%m/%d - %H:%M:%S",
        rank=60,
    ),
    TextFormat(
        r"(?P<method>GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (?P<path>/\S*) (?P<status>\d{3}) "
        r"(?P<duration_ms>\d+\.\d+) ms - (?P<bytes>\d+|-)",
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        '10.2.0.4 - - [22/Nov/2025:12:00:00 +0000] "GET /orders/7 HTTP/1.1" 503 21 "-" "curl/8" 7 "shop@docker" '
        '"http://10.0.0.2:80" 912ms',
        {"time": 1763812800.0, "status": 503, "duration_ms": 912.0, "upstream": "http://10.0.0.2:80"},
    ),
    LineSample(
        "1763812801.250    912 10.2.0.4 TCP_MISS/503 1934 GET http://shop.example/orders/7 - HIER_DIRECT/10.0.0.9 text/html",
        {"time": 1763812801.25, "status": 503, "upstream": "10.0.0.9", "cache": "TCP_MISS"},
    ),
    LineSample("GET /orders/7 500 912.123 ms - 21", {"status": 500, "method": "GET", "bytes": "21"}),
)  # fmt: skip
