"""Access logs of AWS load balancers: application (ALB) and classic (ELB) ones; of S3 buckets.

Source: the access log entries that Elastic Load Balancing and S3 document.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

_S = r"(?:-1|-|(?P<%s>\d+\.\d+))"
_REQUEST = r'"(?P<method>[A-Z-]+) (?:\w+://[^/ ]+)?(?P<path>\S+) (?:[^"\\]|\\.)*"'
_CLIENTS = r"(?P<client>\S+):\d+ (?P<upstream>\S+) "
_TIMES = _S % "request_processing_s" + " " + _S % "duration_s" + " " + _S % "response_processing_s"
_REPLY = r" (?:-|(?P<status>\d{3})) (?P<target_code>\d{3}|-) (?P<bytes_in>\d+) (?P<bytes>\d+) "

TEXT = (
    TextFormat(
        rf"(?P<type>https?|h2|grpcs?|wss?) (?P<time>{ISO}) (?P<balancer>\S+) "
        + _CLIENTS
        + _TIMES
        + _REPLY
        + _REQUEST
        + r' "(?P<user_agent>(?:[^"\\]|\\.)*)" \S+ \S+ (?P<target_group>\S+) "(?P<trace_id>[^"]*)"'
        r'(?: "(?P<domain>[^"]*)" "[^"]*" \S+ (?P<received>\S+) "(?P<actions>[^"]*)" "[^"]*" "(?P<error_reason>[^"]*)".*|.*)',
        words=('"',),
        rank=60,
    ),
    TextFormat(
        rf"(?P<time>{ISO}) (?P<balancer>\S+) "
        + _CLIENTS
        + _TIMES
        + _REPLY
        + _REQUEST
        + r' "(?P<user_agent>(?:[^"\\]|\\.)*)".*',
        words=('"',),
        rank=60,
    ),
    # A network balancer writes of TLS alone: how long the connection and its handshake took, in ms.
    TextFormat(
        rf"tls \d\.\d (?P<time>{ISO}) (?P<balancer>\S+) (?P<listener>\S+) (?P<client>\S+):\d+ (?P<upstream>\S+) "
        r"(?:-|(?P<duration_ms>\d+)) (?:-|(?P<handshake_ms>\d+)) (?P<bytes_in>\S+) (?P<bytes>\S+) (?P<tls_alert>\S+) "
        r"(?P<certificate>\S+) \S+ (?P<cipher>\S+) (?P<tls>\S+) \S+ (?P<domain>\S+) .*",
        words=("tls ",),
        rank=60,
    ),
    TextFormat(
        r"[0-9a-f]{20,} (?P<bucket>\S+) \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
        r"(?P<client>\S+) (?P<requester>\S+) (?P<request_id>\S+) (?P<operation>\S+) (?P<key>\S+) "
        r'(?:-|"(?P<method>[A-Z]+) (?P<path>\S+)[^"]*") (?P<status>\d{3}) (?P<error_code>\S+) (?P<bytes>\S+) '
        r"\S+ (?:-|(?P<duration_ms>\d+)) .*",
        time="%d/%b/%Y:%H:%M:%S %z",
        words=("[",),
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "h2 2025-11-22T12:00:00.500000Z app/my-lb/50dc 192.0.2.7:2817 - -1 -1 -1 503 - 34 366 "
        '"GET https://shop.example:443/pay HTTP/2.0" "it is \\"me\\"" - - - "Root=1-58-a" "-" "-" 0 2025-11-22T12:00:00.400000Z "fixed-response" "-" "-" "-" "-" "-" "-" TID_1',
        {"time": 1763812800.5, "status": 503, "upstream": None, "endpoint": "/pay", "actions": "fixed-response"},
    ),
    LineSample(
        "tls 2.0 2025-11-22T12:00:05 net/my-lb/c6e7 g3d4 72.21.0.9:51341 10.0.0.1:443 250 98 7 42 - arn:aws:acm:1:certificate/2a - "
        "ECDHE-RSA-AES128-SHA tlsv12 - my-lb.elb.example h2 h2 - 2025-11-22T12:00:04",
        {"time": 1763812805.0, "duration_ms": 250.0, "upstream": "10.0.0.1:443", "tls_alert": None},
    ),
    LineSample(
        "https 2025-11-22T12:00:00.250000Z app/my-lb/50dc 192.168.131.39:2817 10.0.0.1:80 0.000 1.250 0.000 "
        '502 502 34 366 "GET https://www.example.com:443/orders/7?x=1 HTTP/1.1" "curl/7.46.0" ECDHE TLSv1.2 '
        'arn:aws:targetgroup/my-targets/73e2 "Root=1-58337262-36d2" "www.example.com" "-" 0',
        {"time": 1763812800.25, "status": 502, "duration_ms": 1250.0, "upstream": "10.0.0.1:80",
         "endpoint": "/orders/7?x=1", "trace_id": "Root=1-58337262-36d2"},
    ),
    LineSample(
        "2025-11-22T12:00:01.000000Z my-lb 192.168.131.39:2817 - -1 -1 -1 503 0 0 0 "
        '"GET http://www.example.com:80/ HTTP/1.1" "curl/7.38.0" - -'.replace("503 0 0 0", "503 - 0 0"),
        {"time": 1763812801.0, "status": 503, "duration_ms": None, "endpoint": "/"},
    ),
    LineSample(
        "79a59df900b949e55d96a1e698fbaced bucket [22/Nov/2025:12:00:02 +0000] 192.0.2.3 79a59df9 3E57 "
        'REST.GET.OBJECT k "GET /bucket/k HTTP/1.1" 503 SlowDown 113 - 912 7 "-" "S3Console/0.4" -',
        {"time": 1763812802.0, "status": 503, "error_code": "SlowDown"},
    ),
)  # fmt: skip

NEAR_MISSES = (
    "tls 1.3 handshake with 10.0.0.1 failed",
    "https 2025-11-22T12:00:00Z app/lb/1 is up",
)
