"""The prefix of container runtimes on Kubernetes nodes: time, stream, and a flag for cut lines.

What follows is read as its own format; lines that the runtime cut are put together again.

Source: the log format of the Kubernetes Container Runtime Interface.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, Wrapper

WRAPPERS = (
    Wrapper(
        r"(?P<prefix_time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.?\d*(?:Z|[+-]\d\d:\d\d)) "
        r"(?P<stream>stdout|stderr) (?P<flag>[FP])(?::\S*)? (?P<rest>.*)",
        names={"prefix_time": "prefix.time", "stream": "prefix.stream"},
        rank=30,
    ),
)

SAMPLES = (
    LineSample(
        '2025-11-22T12:00:00.000000001Z stdout F {"time":"2025-11-22T12:00:00.250Z","status":503}',
        {"time": 1763812800.25, "status": 503, "prefix.stream": "stdout"},
    ),
    LineSample(
        "2025-11-22T12:00:01.5Z stderr F 2025-11-22 12:00:01,250 - shop.pay - ERROR - card declined",
        {"time": 1763812801.25, "level": "error", "prefix.stream": "stderr", "message": "card declined"},
    ),
    LineSample(
        '2025-11-22T12:00:02Z stdout P {"time":"2025-11-22T12:00:02.000Z",',
        {"time": 1763812802.0, "status": 200},
    ),
    LineSample('2025-11-22T12:00:02Z stdout F "status":200}', None),
)  # fmt: skip
