"""Cloudflare's Logpush: HTTP requests with the fields and the form of time that the job was given.

Source: the HTTP requests data set of Cloudflare Logs; times are RFC 3339, or Unix time in s, ms or ns.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(
    ("EdgeResponseStatus",),
    {
        "time": (Pick("EdgeStartTimestamp"), Pick("EdgeEndTimestamp"), Pick("Datetime")),
        "status": Pick("EdgeResponseStatus"),
        "duration": (
            Pick("EdgeTimeToFirstByteMs", "ms"),
            Pick("OriginResponseDurationMs", "ms"),
            Pick("OriginResponseTime", "ns"),
        ),
        "endpoint": (Pick("ClientRequestURI"), Pick("ClientRequestPath")),
        "trace_id": Pick("RayID"),
        "upstream": Pick("OriginIP"),
        "region": (Pick("EdgeColoCode"), Pick("ClientCountry")),
        "service": Pick("ClientRequestHost"),
    },
)

SAMPLES = (
    LineSample(
        '{"ClientRequestHost":"shop.example","ClientRequestURI":"/pay?x=1","EdgeStartTimestamp":"2025-11-22T12:00:00Z",'
        '"EdgeEndTimestamp":"2025-11-22T12:00:01Z","EdgeResponseStatus":522,"EdgeResponseBytes":512,"OriginResponseStatus":0,'
        '"OriginResponseDurationMs":1250,"RayID":"3a6050bcbe121a87"}',
        {"time": 1763812800.0, "status": 522, "duration_ms": 1250.0, "endpoint": "/pay?x=1", "trace_id": "3a6050bcbe121a87"},
    ),
    LineSample(
        '{"ClientRequestHost":"shop.example","ClientRequestURI":"/","EdgeStartTimestamp":"2025-11-22T12:00:02Z","EdgeResponseStatus":200,'
        '"OriginResponseDurationMs":12}',
        {"time": 1763812802.0, "status": 200, "duration_ms": 12.0},
    ),
    LineSample(
        '{"ClientRequestHost":"shop.example","ClientRequestURI":"/cart","EdgeStartTimestamp":"2025-11-22T12:00:03Z","EdgeResponseStatus":304}',
        {"time": 1763812803.0, "status": 304, "endpoint": "/cart", "duration_ms": None},
    ),
)  # fmt: skip

NEAR_MISSES = ('{"EdgeStartTimestamp":"2025-11-22T12:00:00Z","RayID":"3a60","Action":"block"}',)
