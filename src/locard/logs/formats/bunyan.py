"""JSON of Node's bunyan: numbered levels (50 is error), the host and the process in each record.

Source: the record fields of bunyan's core and of its standard serializers.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(
    ("v", "hostname", "name", "pid", "level"), {"level": Pick("level", numbering="bunyan")}
)

SAMPLES = (
    LineSample(
        '{"name":"pay","hostname":"web-1","pid":412,"level":50,"msg":"card declined","time":"2025-11-22T12:00:00.250Z","v":0,"res":{"statusCode":503},"req":{"url":"/pay"}}',
        {
            "time": 1763812800.25,
            "level": "error",
            "status": 503,
            "endpoint": "/pay",
            "message": "card declined",
        },
    ),
    LineSample(
        '{"name":"pay","hostname":"web-1","pid":412,"level":30,"msg":"ready","time":"2025-11-22T12:00:01Z","v":0}',
        {"time": 1763812801.0, "level": "info"},
    ),
    LineSample(
        '{"name":"pay","hostname":"web-1","pid":412,"level":40,"msg":"slow reply","time":"2025-11-22T12:00:02Z","v":0,"latency":2004}',
        {"level": "warn", "duration_ms": 2004.0},
    ),
)
