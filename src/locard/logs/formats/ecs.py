"""Elastic Common Schema: dotted or nested names, event.duration in nanoseconds.

Source: the Elastic Common Schema reference.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(("@timestamp", "log.level"), {"duration": Pick("event.duration", "ns")})

SAMPLES = (
    LineSample(
        '{"@timestamp":"2025-11-22T12:00:00.250Z","log.level":"error","message":"card declined","ecs.version":"1.6.0","http.response.status_code":503,"url.path":"/pay","event.duration":12000000,"trace.id":"4bf92f35"}',
        {
            "time": 1763812800.25,
            "level": "error",
            "status": 503,
            "duration_ms": 12.0,
            "endpoint": "/pay",
            "trace_id": "4bf92f35",
        },
    ),
    LineSample(
        '{"@timestamp":"2025-11-22T12:00:01Z","log":{"level":"warn","logger":"pay"},"message":"slow reply","ecs":{"version":"8.11.0"},"event":{"duration":2004000000}}',
        {"time": 1763812801.0, "level": "warn", "duration_ms": 2004.0},
    ),
    LineSample(
        '{"@timestamp":"2025-11-22T12:00:02Z","log.level":"info","message":"ready","ecs.version":"1.6.0"}',
        {"level": "info", "message": "ready"},
    ),
)
