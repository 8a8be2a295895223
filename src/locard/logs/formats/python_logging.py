"""Lines of Python's logging with its usual formatters: basicConfig, Flask, gunicorn, uvicorn.

Source: the defaults of logging.basicConfig, flask.logging, gunicorn.glogging and uvicorn.logging.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_TIME = r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[,.]\d+)?(?: [+-]\d{4})?)"
_LEVEL = r"(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)"

TEXT = (
    TextFormat(_TIME + r" - (?P<logger>[\w.]+) - " + _LEVEL + r" - (?P<message>.*)", rank=20),
    TextFormat(_TIME + " " + _LEVEL + r"[: ]+(?P<logger>[a-zA-Z_][\w.]*)(?::| -) ?(?P<message>.*)", rank=30),
    TextFormat(r"\[" + _TIME + r"\] \[(?P<pid>\d+)\] \[" + _LEVEL + r"\] (?P<message>.*)", rank=20),
    TextFormat(r"\[" + _TIME + r"\] " + _LEVEL + r" in (?P<logger>[\w.]+): (?P<message>.*)", rank=20),
    TextFormat(
        _LEVEL + r': +(?P<client>[\d.a-f:]+:\d+) - "(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d{3}).*',
        rank=20,
    ),
    TextFormat(_LEVEL + r":(?P<logger>[\w.]+):(?P<message>.*)", rank=25),
)  # fmt: skip

SAMPLES = (
    LineSample(
        "2025-11-22 12:00:00,250 - shop.pay - ERROR - card declined",
        {"time": 1763812800.25, "level": "error", "logger": "shop.pay", "message": "card declined"},
    ),
    LineSample("Traceback (most recent call last):", None),
    LineSample('  File "/app/pay.py", line 12, in charge', None),
    LineSample("    raise DeclinedError(code)", None),
    LineSample("shop.pay.DeclinedError: 51", None),
    LineSample(
        "[2025-11-22 12:00:01 +0000] [412] [CRITICAL] WORKER TIMEOUT (pid:413)",
        {"time": 1763812801.0, "level": "critical", "pid": "412"},
    ),
    LineSample(
        "[2025-11-22 12:00:02,500] ERROR in app: Exception on /pay [POST]",
        {"time": 1763812802.5, "level": "error", "logger": "app"},
    ),
    LineSample(
        "ERROR:shop.pay:card declined",
        {"time": None, "level": "error", "logger": "shop.pay", "message": "card declined"},
    ),
    LineSample(
        'INFO:     10.0.0.4:51200 - "GET /orders/7 HTTP/1.1" 200 OK',
        {"level": "info", "status": 200, "endpoint": "/orders/7"},
    ),
    LineSample(
        "2025-11-22 12:00:03,000 WARNING shop.pay: slow reply",
        {"time": 1763812803.0, "level": "warning", "message": "slow reply"},
    ),
)
