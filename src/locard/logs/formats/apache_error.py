"""The error log of Apache httpd: of 2.4 with its module, process and client, and of 2.2.

Source: the default ErrorLogFormat of Apache httpd 2.4; ap_log_error of 2.2.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

TEXT = (
    TextFormat(
        r"\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d\.\d+ \d{4})\] "
        r"\[(?:(?P<module>\w*):)?(?P<level>[a-z]+\d?)\] \[pid (?P<pid>\d+)(?::tid (?P<tid>\d+))?\] "
        r"(?:\[client (?P<client>[^\]]+)\] )?(?P<message>.*)",
        time="%a %b %d %H:%M:%S.%f %Y",
        rank=10,
    ),
    TextFormat(
        r"\[(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \d{4})\] \[(?P<level>[a-z]+)\] "
        r"(?:\[client (?P<client>[^\]]+)\] )?(?P<message>.*)",
        time="%a %b %d %H:%M:%S %Y",
        rank=10,
    ),
)

SAMPLES = (
    LineSample(
        "[Sat Nov 22 12:00:00.250000 2025] [proxy_http:error] [pid 17:tid 140] [client 10.0.0.4:5120] "
        "AH01102: error reading status line from remote server 10.0.1.9:8080",
        {"time": 1763812800.25, "level": "error", "module": "proxy_http", "client": "10.0.0.4:5120",
         "message": "AH01102: error reading status line from remote server 10.0.1.9:8080"},
    ),
    LineSample(
        "[Sat Nov 22 12:00:01.000001 2025] [mpm_event:notice] [pid 1:tid 9] AH00489: resuming normal operations",
        {"level": "notice", "pid": "1"},
    ),
    LineSample(
        "[Sat Nov 22 12:00:02.500000 2025] [ssl:warn] [pid 1] AH01909: certificate does NOT include an ID",
        {"time": 1763812802.5, "level": "warn"},
    ),
    LineSample(
        "[Sat Nov 22 12:00:03 2025] [error] [client 10.0.0.4] File does not exist: /srv/www/favicon.ico",
        {"time": 1763812803.0, "level": "error", "client": "10.0.0.4",
         "message": "File does not exist: /srv/www/favicon.ico"},
    ),
)  # fmt: skip
