"""JSON of Go's log/slog: upper-case levels that may carry a distance, durations in nanoseconds.

Source: slog.JSONHandler (time.Duration is written as its number of nanoseconds).
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample

SAMPLES = (
    LineSample(
        '{"time":"2025-11-22T12:00:00.25Z","level":"ERROR","msg":"card declined","status":503,"elapsed":12000000}',
        {"time": 1763812800.25, "level": "error", "status": 503, "duration_ms": 12.0},
    ),
    LineSample(
        '{"time":"2025-11-22T13:00:01+01:00","level":"WARN+1","msg":"slow reply","elapsed":2004000000}',
        {"time": 1763812801.0, "level": "warn", "duration_ms": 2004.0},
    ),
    LineSample(
        '{"time":"2025-11-22T12:00:02Z","level":"INFO","msg":"ready","elapsed":3000000,"req":{"path":"/pay"}}',
        {"level": "info", "endpoint": "/pay"},
    ),
)
