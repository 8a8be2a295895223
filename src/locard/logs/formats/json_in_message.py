"""Objects whose message is the service's own JSON as text: CloudWatch's events, and what collectors ship.

The fields inside count; those beside them are kept.

Source: GetLogEvents of CloudWatch Logs; exports of hosted log services.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, Wrapper

_TIMES: dict[str, str | tuple[str, ...]] = {"prefix.time": ("/timestamp", "/@timestamp", "/time")}

WRAPPERS = tuple(
    Wrapper(rest="message", fields=_TIMES, word=word, others=True, only_json=True, rank=15)
    for word in ('"message":"{', '"message": "{')
)

SAMPLES = (
    LineSample(
        r'{"timestamp":1763812800250,"message":"{\"level\":\"error\",\"status\":503,\"service\":\"pay\"}","ingestionTime":1763812801000}',
        {
            "time": 1763812800.25,
            "level": "error",
            "status": 503,
            "service": "pay",
            "ingestionTime": "1763812801000",
        },
    ),
    LineSample(
        r'{"timestamp": 1763812801250, "message": "{\"level\":\"info\",\"status\":200}\n", "logStreamName": "a"}',
        {"time": 1763812801.25, "level": "info", "status": 200, "logStreamName": "a"},
    ),
    LineSample(
        r'{"timestamp":1763812802250,"message":"{ no object","ingestionTime":1763812803000}',
        {"time": 1763812802.25, "message": "{ no object"},
    ),
)
