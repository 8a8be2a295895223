"""JSON of log4j 2: JsonLayout with an instant in two parts, and JsonTemplateLayout.

Source: log4j 2's JsonLayout and its default event templates.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(
    ("instant.epochSecond", "level", "loggerName"),
    {"time": Pick("instant.epochSecond", "s", plus=("instant.nanoOfSecond", "ns"))},
)

SAMPLES = (
    LineSample(
        '{"instant":{"epochSecond":1763812800,"nanoOfSecond":250000000},"thread":"http-1","level":"ERROR","loggerName":"c.a.Pay","message":"card declined","thrown":{"name":"DeclinedException"}}',
        {"time": 1763812800.25, "level": "error", "message": "card declined"},
    ),
    LineSample(
        '{"instant":{"epochSecond":1763812801,"nanoOfSecond":0},"thread":"http-1","level":"WARN","loggerName":"c.a.Pay","message":"slow reply"}',
        {"time": 1763812801.0, "level": "warn"},
    ),
    LineSample(
        '{"instant":{"epochSecond":1763812802,"nanoOfSecond":5000},"thread":"main","level":"INFO","loggerName":"c.a.Boot","message":"ready"}',
        {"time": 1763812802.000005, "level": "info"},
    ),
)
