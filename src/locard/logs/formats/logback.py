"""JSON of logback through logstash-logback-encoder: @timestamp, level, logger_name, stack_trace.

Source: the standard fields of logstash-logback-encoder.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample

SAMPLES = (
    LineSample(
        '{"@timestamp":"2025-11-22T13:00:00.250+01:00","@version":"1","message":"card declined","logger_name":"c.a.Pay","thread_name":"http-1","level":"ERROR","level_value":40000,"traceId":"4bf92f35"}',
        {"time": 1763812800.25, "level": "error", "trace_id": "4bf92f35"},
    ),
    LineSample(
        '{"@timestamp":"2025-11-22T12:00:01Z","@version":"1","message":"slow reply","logger_name":"c.a.Pay","level":"WARN","level_value":30000,"elapsed_ms":2004}',
        {"time": 1763812801.0, "level": "warn", "duration_ms": 2004.0},
    ),
    LineSample(
        '{"@timestamp":"2025-11-22T12:00:02Z","@version":"1","message":"ready","logger_name":"c.a.Boot","level":"INFO","level_value":20000}',
        {"level": "info", "message": "ready"},
    ),
)
