"""Go's logrus: its JSON (time, level and msg), and what it writes to a terminal.

Source: the JSONFormatter and the TextFormatter of github.com/sirupsen/logrus.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

TEXT = (
    TextFormat(
        r"(?P<level>TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)\[(?P<since_start_s>\d{4,})\] "
        r"(?P<message>.*?) *(?: (?P<pairs>[\w.-]+=.*))?",
        levels={
            "trac": "trace",
            "debu": "debug",
            "erro": "error",
            "fata": "fatal",
            "pani": "panic",
        },
        rank=60,
    ),
)

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
    LineSample(
        "ERRO[0004] card declined                                order=7 upstream=bank",
        {"level": "error", "message": "card declined", "order": "7", "upstream": "bank"},
    ),
)
