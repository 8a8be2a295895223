"""uWSGI: the line that it writes by itself for each request.

Source: uWSGI's default request logging, as its documentation and its logger write it.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

TEXT = (
    TextFormat(
        r"\[pid: (?P<pid>\d+)\|app: (?P<app_id>-?\d+|-)\|req: [\d-]+/[\d-]+\] (?:(?P<client>[^()]+) )?\((?P<user>[^)]*)\) "
        r"\{\d+ vars in \d+ bytes\} \[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})\] "
        r"(?P<method>[A-Z-]+) (?P<path>.*?) => generated (?P<bytes>\d+) bytes in "
        r"(?:(?P<duration_ms>\d+) msecs|(?P<duration_us>\d+) micros)(?: via \w+\(\))? "
        r"\((?P<protocol>\S*) (?P<status>\d{3})\) .*",
        time="%a %b %d %H:%M:%S %Y",
        words=("[pid: ",),
        rank=20,
    ),
)

SAMPLES = (
    LineSample(
        "[pid: 596|app: 0|req: 24/72] 192.0.2.9 () {50 vars in 1043 bytes} [Sat Nov 22 12:00:00 2025] POST /pay?x=1 => "
        "generated 2 bytes in 149 msecs (HTTP/1.1 503) 3 headers in 112 bytes (1 switches on core 0)",
        {"time": 1763812800.0, "status": 503, "duration_ms": 149.0, "endpoint": "/pay?x=1", "method": "POST", "bytes": "2"},
    ),
    LineSample(
        "[pid: 597|app: -1|req: -1/73] 192.0.2.9 (ann) {34 vars in 488 bytes} [Sat Nov  1 12:00:01 2025] GET /ab => "
        "generated 512 bytes in 2 msecs via sendfile() (HTTP/1.0 200) 3 headers in 112 bytes (0 switches on core 1)",
        {"time": 1761998401.0, "status": 200, "user": "ann", "path": "/ab"},
    ),
    LineSample(
        "[pid: 597|app: 0|req: 1/74] () {34 vars in 488 bytes} [Sat Nov 22 12:00:02 2025] GET / => "
        "generated 0 bytes in 7 msecs (HTTP/1.1 499) 0 headers in 0 bytes (1 switches on core 1)",
        {"client": None, "status": 499, "duration_ms": 7.0},
    ),
)  # fmt: skip

NEAR_MISSES = (
    "[pid: 596|app: 0] spawned uWSGI worker 1",
    "[pid: 1|app: 0|req: 1/1] 10.0.0.1 () {1 vars in 2 bytes} [today] GET / => generated 1 bytes in 3 msecs (HTTP/1.1 200) 1",
)
