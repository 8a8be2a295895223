"""JSON of Node's winston: level and message, a timestamp where the service asks for one.

Source: winston's format.json and format.timestamp.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample

SAMPLES = (
    LineSample(
        '{"level":"error","message":"card declined","timestamp":"2025-11-22T12:00:00.250Z","meta":{"statusCode":503}}',
        {"time": 1763812800.25, "level": "error", "status": 503},
    ),
    LineSample(
        '{"level":"http","message":"GET /orders","timestamp":"2025-11-22T12:00:01.000Z","durationMs":12}',
        {"time": 1763812801.0, "level": "http", "duration_ms": 12.0},
    ),
    LineSample(
        '{"level":"silly","message":"cache","timestamp":"2025-11-22T12:00:02.000Z"}',
        {"level": "silly", "message": "cache"},
    ),
)
