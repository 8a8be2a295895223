"""Access logs of nginx and Apache: common and combined, with virtual host and durations if there.

A number after the last quoted part is a duration: with a decimal point nginx's $request_time in
seconds, without one Apache's %D in microseconds. Pairs such as `rt=0.120 urt=0.1` become fields.

Source: the predefined formats `common` and `combined` of nginx and Apache httpd.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_VHOST = r"(?P<vhost>[\w.*-]+(?::\d+)?) "
_PAIRS = r"(?: (?P<pairs>[\w.]+=.*))?"


_CLIENT = r"(?P<remote_addr>[\w.:-]+) \S+ (?P<user>\S+) "
_TIME = r"\[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "
_REQUEST = r"(?P<method>[A-Z]{3,16}) (?P<path>\S+)(?: (?P<protocol>HTTP/[\d.]+))?"
_REPLY = r" (?P<status>\d{3}) (?P<bytes>\d+|-)"
_TOOK = r"(?: (?P<request_time_s>\d+\.\d+)| (?P<duration_us>\d+))?"

_COMMON = (_CLIENT + _TIME, _REQUEST, _REPLY)
_COMBINED = (*_COMMON[:2], _REPLY + " ", "(?P<referer>.*)", " ", "(?P<user_agent>.*)")
_PIECES = ((*_COMMON[:2], _REPLY + _TOOK), (*_COMBINED, _TOOK), (*_COMBINED, " ", ".*", _TOOK))


def _pattern(before: str, after: str) -> str:
    return (
        before + _CLIENT + _TIME + r'"(?:' + _REQUEST + r'|(?P<request>(?:[^"\\]|\\.)*))"' + _REPLY
        + r'(?: "(?P<referer>(?:[^"\\]|\\.)*)" "(?P<user_agent>(?:[^"\\]|\\.)*)"(?: "[^"]*")?)?'
        + _TOOK + after
    )  # fmt: skip


# The usual form apart, as it is read twice as fast without what is seldom there.
TEXT = tuple(
    TextFormat(_pattern(before, after), time="%d/%b/%Y:%H:%M:%S %z", pieces=pieces, rank=rank)
    for rank, before, after, pieces in (
        (9, "", "", _PIECES),
        (10, "", _PAIRS, ()),
        (11, _VHOST, _PAIRS, ()),
    )
)

SAMPLES = (
    LineSample(
        '10.2.0.7 - - [22/Nov/2025:12:00:01 +0000] "GET /orders/812?x=1 HTTP/1.1" 200 512',
        {"time": 1763812801.0, "status": 200, "endpoint": "/orders/812?x=1", "bytes": "512"},
    ),
    LineSample(
        '10.2.0.8 - ann [22/Nov/2025:13:00:02 +0100] "POST /pay HTTP/2.0" 503 - "https://shop.example/" "curl/8.5 (\\"x\\")"',
        {"time": 1763812802.0, "status": 503, "method": "POST", "user": "ann",
         "referer": "https://shop.example/", "bytes": None},
    ),
    LineSample(
        '2001:db8::1 - - [22/Nov/2025:12:00:03 +0000] "GET /pay HTTP/1.1" 504 0 "-" "k6" 2.004 upstream="10.0.0.9:80" urt=2.001',
        {"status": 504, "duration_ms": 2004.0, "upstream": "10.0.0.9:80"},
    ),
    LineSample(
        'shop.example:443 10.2.0.9 - - [22/Nov/2025:12:00:04 +0000] "\\x16\\x03" 400 226 "-" "-" 1250',
        {"time": 1763812804.0, "status": 400, "duration_ms": 1.25, "vhost": "shop.example:443"},
    ),
)  # fmt: skip
