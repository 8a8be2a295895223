"""Erlang and Elixir: RabbitMQ's, lager's and Elixir's lines, OTP's logger, the reports of the old one.

Source: RabbitMQ's and lager's default formats; error_logger's reports; logger_formatter of OTP; Elixir's Logger.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

_LEVELS = "debug|info|notice|warning|warn|error|critical|alert|emergency"
_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,6})?"
_METADATA = r'(?:[a-z_]+=(?:"[^"]*"|[^\s"]*) )'
_ELIXIR = (
    rf"(?P<pairs>{_METADATA}*)\[(?P<level>{_LEVELS})\] ?"
    r"(?P<message>Sent (?P<status>\d{3}) in (?P<duration>\d+(?:ms|µs))|.*)"
)

TEXT = (
    TextFormat(
        rf"(?P<time>{ISO}) \[(?P<level>[a-z]+)\] <(?P<process>[\d.]+)>"
        r"(?:@(?P<module>[\w.-]+)(?::(?P<function>[\w/'-]+))?(?::(?P<source_line>\d+))?\S*)? ?(?P<message>.*)",
        opens=True,
        words=("] <",),
        rank=60,
    ),
    # Elixir: the metadata stand between the time and the level, or before the message.
    TextFormat(
        rf"(?P<time>{_CLOCK}) {_ELIXIR}",
        time=("%H:%M:%S", "%H:%M:%S.%f"),
        opens=True,
        words=("]",),
        rank=60,
    ),
    TextFormat(
        rf"(?P<time>{ISO}) {_ELIXIR}",
        opens=True,
        words=("]",),
        rank=75,
    ),
    TextFormat(
        r"=(?P<level>INFO|WARNING|ERROR|CRASH|SUPERVISOR|PROGRESS) REPORT==== "
        r"(?P<time>\d{1,2}-[A-Z][a-z]{2}-\d{4}::\d\d:\d\d:\d\d)(?:\.\d+)? ===",
        time="%d-%b-%Y::%H:%M:%S",
        levels={"crash": "error", "supervisor": "error", "progress": "info"},
        opens=True,
        words=("REPORT====",),
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "2025-11-22 12:00:00.250000+00:00 [info] <0.230.0> accepting AMQP connection <0.230.0>",
        {"time": 1763812800.25, "level": "info", "process": "0.230.0",
         "message": "accepting AMQP connection <0.230.0>"},
    ),
    LineSample(
        "2025-11-22 12:00:01.000000+00:00 [error] <0.231.0>",
        {"level": "error", "message": "closing AMQP connection <0.231.0>:"},
    ),
    LineSample("closing AMQP connection <0.231.0>:", None),
    LineSample(
        "=ERROR REPORT==== 22-Nov-2025::12:00:02 ===",
        {"time": 1763812802.0, "level": "error", "message": "missed heartbeats from client\ntimeout: 60s"},
    ),
    LineSample("missed heartbeats from client", None),
    LineSample("timeout: 60s", None),
    LineSample(
        "2025-11-22 12:00:03.250 [error] <0.80.0>@pay_srv:handle_call:41 card declined",
        {"time": 1763812803.25, "module": "pay_srv", "function": "handle_call", "message": "card declined"},
    ),
    LineSample(
        "2025-11-22T12:00:04.250000+00:00 warning: slow reply",
        {"time": 1763812804.25, "level": "warning", "message": "slow reply"},
    ),
    LineSample(
        "12:00:05.250 request_id=F0aB part=pay [info] Sent 503 in 250ms",
        {"level": "info", "request_id": "F0aB", "part": "pay", "status": 503, "duration_ms": 250.0},
    ),
    LineSample(
        "2025-11-22 12:00:06.250 [notice] Running ShopWeb.Endpoint",
        {"time": 1763812806.25, "level": "notice", "message": "Running ShopWeb.Endpoint"},
    ),
)  # fmt: skip

NEAR_MISSES = (
    "2025-11-22 12:00:00 [412] <0.1.0> ready",
    "12:00:00.250 ready [info]",
    "2025-11-22T12:00:00Z level: ready",
)
