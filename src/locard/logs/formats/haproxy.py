"""HAProxy's HTTP and TCP logs, alone or inside of syslog.

Source: the log formats that the configuration manual of HAProxy describes.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_SYSLOG = (
    r"(?:(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) (?:(?P<host>[\w.:-]+) )?"
    r"(?P<app>[\w-]*haproxy[\w-]*)\[(?P<pid>\d+)\]: )?"
)
_HEAD = (
    r"(?P<client>[\w.:-]+):\d+ \[(?P<time>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\] "
    r"(?P<frontend>\S+) (?P<backend>[^/ ]+)/(?P<server>\S+) "
)
_REST = r"\d+/\d+/\d+/\d+/\+?\d+ \d+/\d+"
_FORM = "%d/%b/%Y:%H:%M:%S.%f"

TEXT = (
    TextFormat(
        _SYSLOG
        + _HEAD
        + r"-?\d+/-?\d+/-?\d+/-?\d+/\+?(?P<duration_ms>\d+) (?:-1|(?P<status>\d{3})) "
        r"\+?(?P<bytes>\d+) \S+ \S+ (?P<termination>\S{4}) "
        + _REST
        + r'(?: \{.*\})? "(?:(?P<method>[A-Z]+) (?P<path>[^\s"]+)[^"]*|<BADREQ>|[^"]*)".*',
        time=_FORM,
        rank=15,
    ),
    TextFormat(
        _SYSLOG
        + _HEAD
        + r"-?\d+/-?\d+/\+?(?P<duration_ms>\d+) \+?(?P<bytes>\d+) (?P<termination>\S{2}) "
        + _REST,
        time=_FORM,
        rank=15,
    ),
)

SAMPLES = (
    LineSample(
        "Nov 22 12:00:01 lb-1 haproxy[14389]: 10.0.1.2:33317 [22/Nov/2025:12:00:00.250] http-in app/srv1 "
        '10/0/30/69/1090 503 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /orders/7 HTTP/1.1"',
        {"time": 1763812800.25, "status": 503, "duration_ms": 1090.0, "backend": "app", "server": "srv1",
         "endpoint": "/orders/7", "host": "lb-1", "client": "10.0.1.2"},
    ),
    LineSample(
        "10.0.1.2:33318 [22/Nov/2025:12:00:01.000] http-in app/<NOSRV> 0/-1/-1/-1/0 503 212 - - SC-- "
        '2/2/0/0/0 0/0 "GET /pay HTTP/1.1"',
        {"status": 503, "termination": "SC--", "server": "<NOSRV>"},
    ),
    LineSample(
        "10.0.1.3:33319 [22/Nov/2025:12:00:02.000] db-in db/pg1 0/0/5007 212 -- 0/0/0/0/3 0/0",
        {"duration_ms": 5007.0, "backend": "db", "status": None},
    ),
)  # fmt: skip
