"""Console logs of .NET: Microsoft.Extensions.Logging, Serilog and NLog in their usual layouts.

Source: ConsoleFormatter of Microsoft.Extensions.Logging; the default templates of Serilog and NLog.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

_SHORT = {"trce": "trace", "dbug": "debug", "warn": "warning", "fail": "error", "crit": "critical"}
_SERILOG = {"vrb": "verbose", "dbg": "debug", "inf": "info", "wrn": "warning", "err": "error",
            "ftl": "fatal"}  # fmt: skip
_SAID = (
    r"(?P<message>HTTP (?P<method>[A-Z]+) (?P<path>\S+) responded (?P<status>\d{3}) in (?P<duration_ms>[\d.]+) ms"
    r"|.*)"
)
_LEVEL = r"(?P<level>VRB|DBG|INF|WRN|ERR|FTL)"

TEXT = (
    TextFormat(
        rf"(?:(?P<time>{ISO}) )?(?P<level>trce|dbug|info|warn|fail|crit): (?P<logger>[\w.`+<>-]+)\[(?P<event_id>\d+)\]"
        r"(?: (?P<message>.*))?",
        levels=_SHORT,
        opens=True,
        rank=60,
    ),
    TextFormat(rf"(?P<time>{ISO}) \[{_LEVEL}\] {_SAID}", levels=_SERILOG, rank=60),
    TextFormat(
        rf"\[(?P<time>\d\d:\d\d:\d\d) {_LEVEL}\] {_SAID}", time="%H:%M:%S", levels=_SERILOG, rank=60
    ),
    TextFormat(
        rf"(?P<time>{ISO})\|(?P<level>[A-Za-z]+)\|(?P<logger>[\w.`+<>-]+)\|(?P<message>.*)", rank=60
    ),
)

SAMPLES = (
    LineSample(
        "fail: Shop.Pay[7]",
        {"level": "error", "logger": "Shop.Pay", "event_id": "7", "message": "card declined"},
    ),
    LineSample("      card declined", None),
    LineSample(
        "2025-11-22T12:00:00.250Z info: Microsoft.Hosting.Lifetime[14] Now listening on: http://[::]:80",
        {"time": 1763812800.25, "level": "info", "message": "Now listening on: http://[::]:80"},
    ),
    LineSample(
        "2025-11-22 12:00:01.000 +00:00 [ERR] HTTP GET /orders/7 responded 500 in 912.3 ms",
        {"time": 1763812801.0, "level": "error", "status": 500, "endpoint": "/orders/7", "duration_ms": 912.3},
    ),
    LineSample(
        "2025-11-22 12:00:02.0000|WARN|Shop.Pay|slow reply",
        {"time": 1763812802.0, "level": "warn", "logger": "Shop.Pay", "message": "slow reply"},
    ),
)  # fmt: skip
