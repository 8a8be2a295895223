"""Lines of Go's standard log package, with microseconds and file if they were asked for.

Source: the flags of Go's package log.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LEVELS, LineSample, TextFormat

_REST = (
    r" (?:(?P<source>[\w./-]+\.go:\d+): )?(?:\[?(?P<level>" + LEVELS + r")\]?:? )?(?P<message>.*)"
)

TEXT = (
    TextFormat(
        r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6})" + _REST,
        time="%Y/%m/%d %H:%M:%S.%f",
        rank=30,
    ),
    TextFormat(
        r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)" + _REST, time="%Y/%m/%d %H:%M:%S", rank=30
    ),
)

SAMPLES = (
    LineSample(
        "2025/11/22 12:00:00 listening on :8080",
        {"time": 1763812800.0, "message": "listening on :8080"},
    ),
    LineSample(
        "2025/11/22 12:00:01.250000 charge.go:41: ERROR card declined",
        {
            "time": 1763812801.25,
            "level": "error",
            "source": "charge.go:41",
            "message": "card declined",
        },
    ),
    LineSample(
        "2025/11/22 12:00:02 http: panic serving 10.0.0.4:5120: boom",
        {"time": 1763812802.0, "message": "http: panic serving 10.0.0.4:5120: boom"},
    ),
    LineSample("goroutine 7 [running]:", None),
    LineSample("main.(*Charge).Run(0xc000010000)", None),
    LineSample("\t/app/charge.go:41 +0x1f", None),
)
