"""Redis and Sentinel: process, role, day, and a sign for the level.

Source: serverLogRaw of Redis.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

TEXT = (
    TextFormat(
        r"(?P<pid>\d+):(?P<process_role>[XCSM]) (?P<time>\d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3}) "
        r"(?P<level>[.#*-]) (?P<message>.*)",
        time="%d %b %Y %H:%M:%S.%f",
        levels={".": "debug", "-": "verbose", "*": "notice", "#": "warning"},
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "1:M 22 Nov 2025 12:00:00.250 * Ready to accept connections",
        {"time": 1763812800.25, "level": "notice", "pid": "1", "process_role": "M",
         "message": "Ready to accept connections"},
    ),
    LineSample(
        "1:M 22 Nov 2025 12:00:01.000 # MISCONF Redis is configured to save RDB snapshots",
        {"level": "warning", "message": "MISCONF Redis is configured to save RDB snapshots"},
    ),
    LineSample("17:C 22 Nov 2025 12:00:02.000 - DB 0: 12 keys", {"level": "verbose", "process_role": "C"}),
)  # fmt: skip
