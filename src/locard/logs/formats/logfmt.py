"""Lines of key=value pairs: logfmt, slog's text handler, logrus without a terminal.

Source: logfmt as Heroku uses it; the quoting of Go's strconv.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat
from locard.logs.lines.text_sql import PAIR_KEY, PAIR_QUOTED

_KEY = r"[A-Za-z_@][\w.@/-]*"
_PLAIN = _KEY + r'=(?:"[^"\\\x01]*"|[^\s"\\\x01]*)'

TEXT = (
    # The usual form apart, as it is read three times as fast.
    TextFormat(rf"(?P<pairs>{_PLAIN}(?: {_PLAIN})+)", plain_pairs=True, rank=20),
    TextFormat(
        rf"(?P<pairs>{PAIR_KEY}=(?:{PAIR_QUOTED}|[^\s\"]*)(?:\s+{PAIR_KEY}(?:=(?:{PAIR_QUOTED}|[^\s\"]*))?)+)",
        rank=20,
    ),
)

SAMPLES = (
    LineSample(
        'time=2025-11-22T12:00:00.250Z level=ERROR msg="card declined" status=503 duration=12ms path=/pay',
        {"time": 1763812800.25, "level": "error", "message": "card declined", "status": 503,
         "duration_ms": 12.0, "endpoint": "/pay"},
    ),
    LineSample(
        'time="2025-11-22T13:00:01+01:00" level=warning msg="say \\"no\\"" status=200 duration=1.5s',
        {"time": 1763812801.0, "level": "warning", "message": 'say "no"', "duration_ms": 1500.0},
    ),
    LineSample(
        "time=2025-11-22T12:00:01.500Z level=info msg='GET /a b' größe=3 expr=`sum by (x) > 1` status=200",
        {"message": "GET /a b", "größe": "3", "expr": "sum by (x) > 1", "status": 200},
    ),
    LineSample(
        "time=2025-11-22T12:00:02Z level=info msg=ready status=200 duration=250µs ids=[1,2] cached",
        {"level": "info", "message": "ready", "duration_ms": 0.25, "ids": "[1,2]"},
    ),
)  # fmt: skip
