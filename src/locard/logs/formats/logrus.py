"""JSON of Go's logrus: time, level and msg.

Source: the JSONFormatter of github.com/sirupsen/logrus.
"""

from __future__ import annotations

from locard.logs.line_format import LineSample

SAMPLES = (
    LineSample(
        '{"level":"error","msg":"card declined","time":"2025-11-22T13:00:00+01:00","status":503}',
        {"time": 1763812800.0, "level": "error", "message": "card declined", "status": 503},
    ),
    LineSample(
        '{"level":"warning","msg":"slow reply","time":"2025-11-22T12:00:01Z","elapsed":"2.004s"}',
        {"time": 1763812801.0, "level": "warning", "duration_ms": 2004.0},
    ),
    LineSample(
        '{"level":"info","msg":"ready","time":"2025-11-22T12:00:02Z","fields.level":"x"}',
        {"level": "info", "message": "ready"},
    ),
)
