"""JSON of Python's structlog: the message is called event.

Source: structlog's JSONRenderer, TimeStamper and add_log_level.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(("event", "level", "timestamp"), {"message": Pick("event")})

SAMPLES = (
    LineSample(
        '{"event":"card declined","level":"error","timestamp":"2025-11-22T12:00:00.250000Z","status":503}',
        {"time": 1763812800.25, "level": "error", "message": "card declined", "status": 503},
    ),
    LineSample(
        '{"event":"slow reply","level":"warning","timestamp":1763812801.0,"duration":2.004}',
        {"time": 1763812801.0, "level": "warning", "duration_ms": 2004.0},
    ),
    LineSample(
        '{"event":"ready","level":"info","timestamp":"2025-11-22T12:00:02Z","logger":"shop"}',
        {"message": "ready", "level": "info"},
    ),
)
