"""Lines of klog, as Kubernetes' own components write them, plain and structured.

Source: the klog header and its structured text format, as documented by Kubernetes.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_LEVELS = {"i": "info", "w": "warning", "e": "error", "f": "fatal"}

TEXT = (
    TextFormat(
        r"(?P<level>[IWEF])(?P<time>\d{4} \d\d:\d\d:\d\d\.\d{6}) +(?P<pid>\d+) (?P<source>[^\]:]+:\d+)\] ?"
        r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"(?: (?P<pairs>[\w./-]+=.*))?|(?P<message>.*))',
        time="%m%d %H:%M:%S.%f",
        names={"quoted": "message"},
        levels=_LEVELS,
        rank=10,
    ),
    # glog since 0.5, which has the year
    TextFormat(
        r"(?P<level>[IWEF])(?P<time>\d{8} \d\d:\d\d:\d\d\.\d{6}) +(?P<pid>\d+) (?P<source>[^\]:]+:\d+)\] ?(?P<message>.*)",
        time="%Y%m%d %H:%M:%S.%f",
        levels=_LEVELS,
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "I1122 12:00:00.250000       1 server.go:12] Serving on :8443",
        {"time": 1763812800.25, "level": "info", "source": "server.go:12",
         "message": "Serving on :8443"},
    ),
    LineSample(
        'E1122 12:00:01.000000       1 sync.go:40] "Failed to sync pod" pod="shop/pay-7" err="timed out"',
        {"level": "error", "message": "Failed to sync pod", "pod": "shop/pay-7", "err": "timed out"},
    ),
    LineSample(
        "E20251122 12:00:01.500000  4242 server.cc:12] timed out",
        {"time": 1763812801.5, "level": "error", "pid": "4242", "message": "timed out"},
    ),
    LineSample(
        'W1122 12:00:02.000000       1 pay.go:9] {"status": 503, "path": "/pay"}',
        {"time": 1763812802.0, "level": "warning", "status": 503, "endpoint": "/pay"},
    ),
)  # fmt: skip
