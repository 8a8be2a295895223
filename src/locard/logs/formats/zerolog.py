"""JSON of Go's zerolog: level, time and message, durations as bare numbers of milliseconds.

Source: the defaults of github.com/rs/zerolog (DurationFieldUnit is a millisecond).
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample

SAMPLES = (
    LineSample(
        '{"level":"error","time":1763812800,"message":"card declined","status":503,"duration_ms":12.5}',
        {"time": 1763812800.0, "level": "error", "status": 503, "duration_ms": 12.5},
    ),
    LineSample(
        '{"level":"warn","time":1763812801,"message":"slow reply","status":200,"duration_ms":2004}',
        {"time": 1763812801.0, "level": "warn", "duration_ms": 2004.0},
    ),
    LineSample(
        '{"level":"info","time":1763812802,"message":"ready","error":""}',
        {"level": "info", "message": "ready"},
    ),
)
