"""WebLogic: the server log, whose parts stand between angle brackets, and its console.

Source: the log message formats that Oracle documents for WebLogic Server.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_IN = r"<(?P<%s>[^<>]*)>"
_LEVELS = {"emergency": "emergency", "notice": "notice"}
_DATE = r"[A-Z][a-z]{2} \d{1,2}, \d{4},? \d{1,2}:\d\d:\d\d(?:,\d{3})?(?:\s| )[AP]M"
_FORMS = ("%b %d %Y %I:%M:%S %p", "%b %d %Y %I:%M:%S.%f %p")
_ENDS = r"<(?P<message_id>[A-Z]+-\d+)> <(?P<message>.*?)>?\s*"

TEXT = (
    # The fourth from the end is the time in milliseconds: it has no zone to guess.
    TextFormat(
        r"####<[^<>]*> " + _IN % "level" + " " + " ".join(_IN % n for n in ("logger", "host", "server"))
        + r" <(?P<thread>.*?)> <(?P<user><?[^<>]*>?)> <(?P<transaction>[^<>]*)> <(?P<request_id>[^<>]*)> <(?P<time>\d{13})> "
        r"(?:<\[severity-value: \d+\](?P<details>[^<>]*)> )?" + _ENDS,
        levels=_LEVELS,
        words=("####<",), rank=20,
    ),
    TextFormat(
        rf"####<(?P<time>{_DATE})(?: (?P<zone>[A-Z]{{3,5}}))?> " + _IN % "level" + " "
        + " ".join(_IN % n for n in ("logger", "host", "server"))
        + r" <(?P<thread>.*?)> <(?P<user><?[^<>]*>?)> <(?P<transaction>[^<>]*)> (?:<[^<>]*> )*?" + _ENDS,
        time=_FORMS,
        names={"zone": "time_zone"},
        levels=_LEVELS,
        words=("####<",), rank=21,
    ),
    TextFormat(
        rf"<(?P<time>{_DATE})(?: (?P<zone>[A-Z]{{3,5}}))?> " + _IN % "level" + " " + _IN % "logger" + " " + _ENDS,
        time=_FORMS,
        names={"zone": "time_zone"},
        levels=_LEVELS,
        words=("> <",), rank=20,
    ),
)  # fmt: skip

SAMPLES = (
    LineSample(
        "####<Nov 22, 2025, 12:00:00,250 PM UTC> <Error> <HTTP> <web-1> <pay-1> <[ACTIVE] ExecuteThread: '3' for queue: "
        "'weblogic.kernel.Default (self-tuning)'> <<WLS Kernel>> <> <0a1b-0000> <1763812800250> <[severity-value: 8] [rid: 0] > "
        "<BEA-101017> <Root cause of ServletException: java.io.IOException> ",
        {"time": 1763812800.25, "level": "error", "logger": "HTTP", "host": "web-1", "server": "pay-1", "message_id": "BEA-101017",
         "message": "Root cause of ServletException: java.io.IOException"},
    ),
    LineSample(
        "####<Nov 22, 2025 12:00:01 PM UTC> <Info> <JDBC> <web-1> <pay-1> <main> <<WLS Kernel>> <> <BEA-001128> <Connection closed.>",
        {"time": 1763812801.0, "level": "info", "message": "Connection closed."},
    ),
    LineSample(
        "<Nov 22, 2025 12:00:02 PM UTC> <Warning> <Socket> <BEA-000449> <Closing the socket, as no data was read.>",
        {"time": 1763812802.0, "level": "warning", "message_id": "BEA-000449"},
    ),
    LineSample(
        "####<Nov 22, 2025, 12:00:03,250 PM UTC> <Notice> <Server> <web-1> <pay-1> <main> <user> <> <> <1763812803250> "
        "<BEA-000360> <The server started in RUNNING mode.> ",
        {"time": 1763812803.25, "level": "notice", "user": "user"},
    ),
)  # fmt: skip

NEAR_MISSES = (
    "<Error> <HTTP> <BEA-101017> <no time>",
    "####<yesterday> <Info> <HTTP> <web-1>",
)
