"""Access lines of ASGI servers (uvicorn, hypercorn, FastAPI's) and werkzeug's of Flask.

Source: the default access formats of uvicorn and werkzeug, alone or behind a time that their users set.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

_LOGGER = r"(?P<logger%s>werkzeug|uvicorn|hypercorn|[a-z_]+(?:\.[a-z_]+)+)"
_BEFORE = (
    rf"(?:\[?(?P<time>{ISO})\]?[ ,|:-]+)?(?:{_LOGGER % ''}[ |:-]+)?"
    r"(?:\[?(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL)\]?[ |:-]+)?"
    rf"(?:\[\d+\] |{_LOGGER % '_b'}[ |:-]+)?"
)
_REQUEST = r'"(?P<method>[A-Z]{3,16}) (?P<path>\S+) (?P<protocol>HTTP/[\d.]+)"'

TEXT = (
    TextFormat(
        _BEFORE + r"(?P<client>[\w.:\[\]]+:\d{1,5}|-|None) - " + _REQUEST
        + r" (?P<status>\d{3})(?: [A-Z][A-Za-z' -]*)?(?: (?P<duration>[\d.]+ ?(?:ms|s|us|µs)))?",
        names={"logger_b": "logger"},
        words=(' - "',), rank=18,
    ),
    # werkzeug's own time counts where no other stands before it.
    TextFormat(
        r"(?:(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL):werkzeug:)?(?P<client>[\w.:]+) - - "
        r"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d)\] " + _REQUEST + r" (?P<status>\d{3}) (?:-|(?P<bytes>\d+))",
        time="%d/%b/%Y %H:%M:%S",
        words=(" - - [",), rank=17,
    ),
    TextFormat(
        _BEFORE + r"(?P<client>[\w.:]+) - - \[(?P<date>\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d)\] " + _REQUEST
        + r" (?P<status>\d{3}) (?:-|(?P<bytes>\d+))",
        names={"date": "start", "logger_b": "logger"},
        words=(" - - [",), rank=18,
    ),
)  # fmt: skip

SAMPLES = (
    LineSample(
        'INFO:     10.0.0.7:52110 - "GET /pay?x=1 HTTP/1.1" 503 Service Unavailable',
        {"level": "info", "status": 503, "endpoint": "/pay?x=1", "client": "10.0.0.7:52110", "method": "GET"},
    ),
    LineSample(
        '2025-11-22 12:00:01,250 - uvicorn.access - INFO - 10.0.0.7:52110 - "POST /pay HTTP/1.1" 200',
        {"time": 1763812801.25, "level": "info", "logger": "uvicorn.access", "status": 200},
    ),
    LineSample(
        '2025-11-22 12:00:02,250 INFO 2001:db8::1:52110 - "GET /pay HTTP/1.1" 404 Not Found',
        {"time": 1763812802.25, "status": 404, "method": "GET"},
    ),
    LineSample(
        '127.0.0.1 - - [22/Nov/2025 12:00:03] "GET /pay HTTP/1.1" 500 -',
        {"time": 1763812803.0, "status": 500, "endpoint": "/pay"},
    ),
    LineSample(
        '2025-11-22 12:00:04,250 INFO werkzeug: 127.0.0.1 - - [22/Nov/2025 12:00:04] "GET /pay HTTP/1.1" 200 -',
        {"time": 1763812804.25, "status": 200, "logger": "werkzeug"},
    ),
)  # fmt: skip

NEAR_MISSES = (
    "INFO:     Started server process [412]",
    '10.0.0.7:52110 said "GET /pay HTTP/1.1" 503',
    'INFO:     10.0.0.7:52110 - "WebSocket /feed" [accepted]',
)
