"""Traditional syslog lines: as RFC 3164 describes them, and with rsyslog's ISO times.

The traditional time has neither year nor zone: the year is taken from the day of reading.

Source: RFC 3164 section 4; rsyslog's file format.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_HEAD = r"(?P<host>[\w.:-]+) (?P<app>[A-Za-z][^\s\[\]:]*)(?:\[(?P<pid>\d+)\])?: ?(?P<message>.*)"

TEXT = (
    TextFormat(
        r"(?:<(?P<pri>\d{1,3})>)?(?P<time>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) " + _HEAD,
        time="%b %d %H:%M:%S",
        rank=20,
    ),
    # journalctl -o short-iso, short-iso-precise and short-unix
    TextFormat(
        r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d:?\d\d|\d{9,10}\.\d{6}) (?P<host>[\w.:-]+) "
        r"(?:(?P<app>[A-Za-z][^\s\[\]:]*)\[(?P<pid>\d+)\]|(?P<kernel>kernel)): ?(?P<message>.*)",
        names={"kernel": "app"},
        rank=60,
    ),
    TextFormat(
        r"(?:<(?P<pri>\d{1,3})>)?"
        r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) "
        r"(?P<host>[\w.:-]+) (?P<app>[A-Za-z][^\s\[\]:]*)\[(?P<pid>\d+)\]: ?(?P<message>.*)",
        rank=20,
    ),
)

SAMPLES = (
    LineSample(
        "Nov 22 12:00:00 web-1 payment[412]: card declined",
        {"time": 1763812800.0, "host": "web-1", "app": "payment", "pid": "412",
         "message": "card declined"},
    ),
    LineSample(
        "<11>Nov  2 08:30:00 web-2 kernel: Out of memory: Killed process 4242",
        {"time": 1762072200.0, "level": "error", "app": "kernel"},
    ),
    LineSample(
        "2025-11-22T12:00:01+0000 web-1 kernel: Out of memory: Killed process 4242 (java)",
        {"time": 1763812801.0, "host": "web-1", "app": "kernel"},
    ),
    LineSample(
        '<14>2025-11-22T12:00:01.500000+00:00 web-1 payment[412]: {"status": 503, "level": "error"}',
        {"time": 1763812801.5, "status": 503, "level": "error", "app": "payment"},
    ),
)  # fmt: skip
