"""JSON of Go's zap, and its console encoding: tab-separated, with a JSON object at the end.

Source: the production and development encoders of go.uber.org/zap.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

TEXT = (
    TextFormat(
        rf"(?P<time>{ISO})\t(?P<level>[A-Z]+)\t(?:(?P<logger>[\w.-]+)\t)??"
        r"(?:(?P<caller>[\w./-]+:\d+)\t)?(?P<message>[^\t]*)\t?",
        rank=20,
    ),
)

SAMPLES = (
    LineSample(
        '{"level":"error","ts":1763812800.25,"caller":"pay/charge.go:41","msg":"card declined","status":503,"elapsed":0.012}',
        {
            "time": 1763812800.25,
            "level": "error",
            "message": "card declined",
            "status": 503,
            "duration_ms": 12.0,
        },
    ),
    LineSample(
        '{"level":"dpanic","ts":1763812801,"caller":"pay/charge.go:42","msg":"impossible","elapsed":0.5}',
        {"time": 1763812801.0, "level": "dpanic", "duration_ms": 500.0},
    ),
    LineSample(
        '2025-11-22T12:00:02.000Z\tWARN\tshop.pay\tpay/charge.go:43\tslow reply\t{"upstream": "bank"}',
        {
            "time": 1763812802.0,
            "level": "warn",
            "logger": "shop.pay",
            "upstream": "bank",
            "message": "slow reply",
        },
    ),
)
