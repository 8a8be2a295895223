"""Compact log event format of Serilog: @t, @l (left out for Information), @m, @x.

Source: the CLEF specification of Serilog.Formatting.Compact.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(
    ("@t",),
    {"time": Pick("@t"), "level": Pick("@l"), "trace_id": Pick("@tr")},
    default_level="information",
)

SAMPLES = (
    LineSample(
        '{"@t":"2025-11-22T12:00:00.2500000Z","@mt":"HTTP {Method} {RequestPath} responded","@l":"Error","RequestPath":"/pay","StatusCode":503,"Elapsed":2004.5,"@tr":"4bf92f35"}',
        {
            "time": 1763812800.25,
            "level": "error",
            "status": 503,
            "duration_ms": 2004.5,
            "endpoint": "/pay",
            "trace_id": "4bf92f35",
        },
    ),
    LineSample(
        '{"@t":"2025-11-22T12:00:01Z","@m":"HTTP GET / responded","RequestPath":"/","StatusCode":200,"Elapsed":12.5}',
        {"time": 1763812801.0, "level": "information", "status": 200},
    ),
    LineSample(
        '{"@t":"2025-11-22T12:00:02Z","@m":"slow reply","@l":"Warning"}',
        {"level": "warning", "message": "slow reply"},
    ),
)
