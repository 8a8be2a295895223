"""Google Cloud's structured logging: severity, httpRequest with latency, trace as a resource name.

Source: the LogEntry and HttpRequest types of Cloud Logging.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(
    ("severity",),
    {"status": Pick("httpRequest.status"), "duration": Pick("httpRequest.latency"),
     "endpoint": Pick("httpRequest.requestUrl"),
     "trace_id": Pick("logging.googleapis.com/trace")},
)  # fmt: skip

SAMPLES = (
    LineSample(
        '{"severity":"ERROR","timestamp":"2025-11-22T12:00:00.250Z","message":"card declined","httpRequest":{"requestMethod":"POST","requestUrl":"https://shop.example/pay","status":503,"latency":"2.004s"},"logging.googleapis.com/trace":"projects/shop/traces/4bf92f35"}',
        {
            "time": 1763812800.25,
            "level": "error",
            "status": 503,
            "duration_ms": 2004.0,
            "endpoint": "https://shop.example/pay",
            "trace_id": "projects/shop/traces/4bf92f35",
        },
    ),
    LineSample(
        '{"severity":"INFO","timestamp":"2025-11-22T12:00:01Z","httpRequest":{"requestMethod":"GET","requestUrl":"/","status":200,"latency":"0.012s"}}',
        {"time": 1763812801.0, "level": "info", "duration_ms": 12.0},
    ),
    LineSample(
        '{"severity":"NOTICE","timestamp":"2025-11-22T12:00:02Z","jsonPayload":{"message":"ready"}}',
        {"level": "notice", "message": "ready"},
    ),
)
