"""The error log of MySQL 8 and 5, and of MariaDB.

Source: the error log format that the manuals of MySQL and MariaDB describe.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

_LEVEL = r"\[(?P<level>[A-Z][A-Za-z]+)\] (?:\[(?P<error_code>MY-\d+)\] \[(?P<subsystem>\w+)\] )?(?P<message>.*)"
_LEVELS = {"note": "notice", "system": "info"}

TEXT = (
    TextFormat(rf"(?P<time>{ISO}) (?P<thread>\d+) {_LEVEL}", levels=_LEVELS, rank=60),
    TextFormat(
        rf"(?P<time>\d{{6}} [ \d]\d:\d\d:\d\d) (?:(?P<thread>\d+) )?{_LEVEL}",
        time="%y%m%d %H:%M:%S",
        levels=_LEVELS,
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "2025-11-22T12:00:00.123456Z 0 [ERROR] [MY-012574] [InnoDB] Unable to lock ./ibdata1 error: 11",
        {"time": 1763812800.123456, "level": "error", "error_code": "MY-012574", "subsystem": "InnoDB",
         "message": "Unable to lock ./ibdata1 error: 11"},
    ),
    LineSample(
        "2025-11-22 12:00:01 7 [Note] ready for connections",
        {"time": 1763812801.0, "level": "notice", "thread": "7", "message": "ready for connections"},
    ),
    LineSample(
        "251122 12:00:02 [Warning] Aborted connection 3",
        {"time": 1763812802.0, "level": "warning", "message": "Aborted connection 3"},
    ),
)  # fmt: skip
