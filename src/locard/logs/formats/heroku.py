"""Heroku's logs: the router's pairs, lines of dynos, and both as a log drain sends them.

Source: the HTTP routing and the Logplex pages of Heroku's Dev Center.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat, Wrapper

# The router says `at=info` or `at=error`; an error has a code (H12) and a description besides.
_SAID = r"(?P<message>(?:(?:sock=\w+ )?at=(?P<level>info|warning|error) )?(?P<pairs>.*))"
# A drain counts the octets of each line, and leaves out the structured data of RFC 5424.
_DRAIN = rf"(?:\d{{1,6}} )?<\d{{1,3}}>1 (?P<time>{ISO}) (?:host|d\.[\w-]+) "

TEXT = (
    TextFormat(
        rf"(?P<time>{ISO}) (?P<source>heroku|app)\[(?:router|(?P<dyno>[\w.-]+))\]: ?{_SAID}",
        words=("heroku[", "app["),
        rank=18,
    ),
    TextFormat(
        rf"{_DRAIN}(?P<source>heroku|app) (?:router|(?P<dyno>[\w.-]+)) -(?: {_SAID})?",
        words=(" heroku ", " app "),
        rank=8,
    ),
)

# What a dyno writes is a line of its own.
_NAMES = {"time": "prefix.time"}
WRAPPERS = (
    Wrapper(
        rf"(?P<time>{ISO}) (?P<source>app)\[(?P<dyno>[\w.-]+)\]: (?P<rest>.+)",
        names=_NAMES,
        rank=30,
    ),
    Wrapper(rf"{_DRAIN}(?P<source>app) (?P<dyno>[\w.-]+) - (?P<rest>.+)", names=_NAMES, rank=30),
)

SAMPLES = (
    LineSample(
        '2025-11-22T12:00:00.250000+00:00 heroku[router]: at=error code=H12 desc="Request timeout" method=GET path="/pay?x=1" '
        'host=shop.example request_id=0f3a fwd="192.0.2.7" dyno=web.1 connect=1ms service=30000ms status=503 bytes=0',
        {"time": 1763812800.25, "level": "error", "status": 503, "code": "H12", "desc": "Request timeout", "path": "/pay?x=1",
         "dyno": "web.1", "connect": "1ms", "service": "30000ms"},
    ),
    LineSample(
        "2025-11-22T12:00:01.000000+00:00 app[web.1]: cart of 3 lines",
        {"time": 1763812801.0, "level": None, "dyno": "web.1", "source": "app", "message": "cart of 3 lines"},
    ),
    LineSample(
        '2025-11-22T12:00:01.500000+00:00 app[web.1]: {"status":503,"level":"error"}',
        {"time": 1763812801.5, "level": "error", "status": 503, "dyno": "web.1"},
    ),
    LineSample(
        '212 <158>1 2025-11-22T12:00:02.500000+00:00 host heroku router - at=info method=GET path="/" host=shop.example '
        "dyno=web.2 connect=0ms service=23ms status=200 bytes=512",
        {"time": 1763812802.5, "level": "info", "status": 200, "service": "23ms", "source": "heroku"},
    ),
    LineSample(
        "2025-11-22T12:00:03.000000+00:00 heroku[web.1]: State changed from up to crashed",
        {"time": 1763812803.0, "dyno": "web.1", "message": "State changed from up to crashed"},
    ),
)  # fmt: skip

NEAR_MISSES = (
    "2025-11-22T12:00:00.250000+00:00 web-1 heroku[router]: at=info method=GET",
    "2025-11-22T12:00:00Z worker[web.1]: cart of 3 lines",
    "<14>1 2025-11-22T12:00:00Z web-1 payment 412 - - ready",
)
