"""GELF, Graylog's JSON: a short message, syslog's levels, further fields behind an underscore.

Source: the GELF payload specification.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(
    ("short_message", "host"),
    {
        "time": Pick("timestamp", "s"),
        "level": Pick("level", numbering="syslog"),
        "message": Pick("short_message"),
        "instance": Pick("host"),
        "": Pick("version"),
    },
)

SAMPLES = (
    LineSample(
        '{"version":"1.1","host":"web-1","short_message":"card declined","full_message":"card declined\\n  at pay","timestamp":1763812800.25,'
        '"level":3,"_part":"pay","_status":503}',
        {"time": 1763812800.25, "level": "error", "message": "card declined", "_part": "pay", "status": 503},
    ),
    LineSample(
        '{"version":"1.1","host":"web-2","short_message":"ready","timestamp":1763812801,"level":6}',
        {"time": 1763812801.0, "level": "info", "message": "ready"},
    ),
    LineSample(
        '{"version":"1.1","host":"web-2","short_message":"slow reply","timestamp":1763812802.5,"level":4}',
        {"time": 1763812802.5, "level": "warning"},
    ),
)  # fmt: skip

NEAR_MISSES = ('{"short_message":"card declined","level":3}',)
