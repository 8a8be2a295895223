"""RabbitMQ and other Erlang programs: lager's lines, and the reports of the old logger.

Source: RabbitMQ's default console and file formats; error_logger's reports.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

TEXT = (
    TextFormat(
        rf"(?P<time>{ISO}) \[(?P<level>[a-z]+)\] <(?P<process>[\d.]+)>(?:@\S+)? ?(?P<message>.*)",
        opens=True,
        rank=60,
    ),
    TextFormat(
        r"=(?P<level>INFO|WARNING|ERROR|CRASH|SUPERVISOR|PROGRESS) REPORT==== "
        r"(?P<time>\d{1,2}-[A-Z][a-z]{2}-\d{4}::\d\d:\d\d:\d\d)(?:\.\d+)? ===",
        time="%d-%b-%Y::%H:%M:%S",
        levels={"crash": "error", "supervisor": "error", "progress": "info"},
        opens=True,
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
)  # fmt: skip
