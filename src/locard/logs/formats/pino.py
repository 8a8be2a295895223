"""JSON of Node's pino and pino-http: numbered levels, time in milliseconds, responseTime in ms.

Source: the defaults of pino and pino-http.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(
    ("level", "time", "pid", "hostname"),
    {"level": Pick("level", numbering="bunyan"), "duration": Pick("responseTime", "ms")},
)

SAMPLES = (
    LineSample(
        '{"level":50,"time":1763812800250,"pid":412,"hostname":"web-1","req":{"method":"POST","url":"/pay"},"res":{"statusCode":503},"responseTime":2004,"msg":"request errored"}',
        {
            "time": 1763812800.25,
            "level": "error",
            "status": 503,
            "duration_ms": 2004.0,
            "endpoint": "/pay",
        },
    ),
    LineSample(
        '{"level":30,"time":1763812801000,"pid":412,"hostname":"web-1","res":{"statusCode":200},"responseTime":3,"msg":"request completed"}',
        {"time": 1763812801.0, "level": "info", "duration_ms": 3.0},
    ),
    LineSample(
        '{"level":60,"time":1763812802000,"pid":412,"hostname":"web-1","msg":"out of memory"}',
        {"level": "fatal", "message": "out of memory"},
    ),
)
