"""MongoDB's structured log, and the lines of its releases before 4.4.

Source: the log message format that MongoDB documents.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, Dialect, LineSample, Pick, TextFormat

DIALECT = Dialect(
    ("t.$date", "s", "c", "ctx"),
    {"time": Pick("t.$date"), "level": Pick("s"), "service": Pick("c")},
)
TEXT = (
    TextFormat(
        rf"(?P<time>{ISO}) (?P<level>[FEWID]\d?) (?P<component>[A-Z]+|-) +\[(?P<context>[^\]]*)\] "
        r"(?P<message>.*? (?P<duration_ms>\d+)ms|.*)",
        levels={"f": "fatal", "e": "error", "w": "warning", "i": "info"}
        | {f"d{i}": "debug" for i in ("", 1, 2, 3, 4, 5)},
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        '{"t":{"$date":"2025-11-22T12:00:00.250+00:00"},"s":"E","c":"STORAGE","id":22435,"ctx":"conn7","msg":"WiredTiger error","attr":{"error":28}}',
        {"time": 1763812800.25, "level": "e", "message": "WiredTiger error"},
    ),
    LineSample(
        '{"t":{"$date":"2025-11-22T12:00:01.000+00:00"},"s":"I","c":"COMMAND","id":51803,"ctx":"conn8","msg":"Slow query","attr":{"durationMillis":912}}',
        {"time": 1763812801.0, "level": "i"},
    ),
    LineSample(
        "2025-11-22T12:00:02.000+0000 I COMMAND  [conn9] command shop.orders planSummary: COLLSCAN 912ms",
        {"time": 1763812802.0, "level": "info", "component": "COMMAND", "context": "conn9"},
    ),
)  # fmt: skip
