"""Syslog lines of RFC 5424, with their structured data as fields.

Source: RFC 5424 section 6.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

TEXT = (
    TextFormat(
        r"<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host>\S+) (?P<app>\S+) (?P<pid>\S+) (?P<msgid>\S+) "
        r'(?:-|(?P<pairs>(?:\[[^\s\]]+(?: [^=\s]+="(?:[^"\\\]]|\\.)*")*\])+))'
        r"(?: \x{FEFF}?(?P<message>.*))?".replace(r"\x{FEFF}", "\ufeff"),
        rank=10,
    ),
)

SAMPLES = (
    LineSample(
        '<11>1 2025-11-22T12:00:00.003Z web-1 payment 412 ID47 [ctx@1 region="eu" tier="plus"] timed out',
        {"time": 1763812800.003, "level": "error", "region": "eu", "tier": "plus", "host": "web-1",
         "message": "timed out"},
    ),
    LineSample(
        "<14>1 2025-11-22T13:00:01+01:00 web-1 payment - - - ready",
        {"time": 1763812801.0, "level": "info", "pid": None, "message": "ready"},
    ),
    LineSample(
        '<12>1 2025-11-22T12:00:02Z web-1 payment 412 - - {"status": 500, "path": "/pay"}',
        {"time": 1763812802.0, "status": 500, "endpoint": "/pay", "level": "warning"},
    ),
)  # fmt: skip
