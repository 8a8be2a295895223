"""The error log of nginx, with client, request and upstream where the line names them.

Source: ngx_log_error_core and the context that the HTTP module adds to it, as documented by nginx.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

TEXT = (
    TextFormat(
        r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>[a-z]+)\] (?P<pid>\d+)#\d+: "
        r"(?:\*(?P<connection>\d+) )?(?P<message>.*?)"
        r"(?:, client: (?P<client>[^,]+))?(?:, server: (?P<server_name>[^,]*))?"
        r'(?:, request: "(?:(?P<method>[A-Z]+) (?P<path>\S+)[^"]*|[^"]*)")?'
        r'(?:, upstream: "(?:\w+://)?(?P<upstream>[^/"]+)[^"]*")?'
        r'(?:, host: "(?P<host>[^"]*)")?(?:, referrer: "[^"]*")?',
        time="%Y/%m/%d %H:%M:%S",
        rank=10,
    ),
)

SAMPLES = (
    LineSample(
        "2025/11/22 12:00:00 [error] 31#31: *70 upstream timed out (110: Connection timed out) while "
        "reading response header from upstream, client: 10.0.0.4, server: shop.example, request: "
        '"POST /pay HTTP/1.1", upstream: "http://10.0.1.9:8080/pay", host: "shop.example"',
        {"time": 1763812800.0, "level": "error", "upstream": "10.0.1.9:8080", "endpoint": "/pay",
         "message": "upstream timed out (110: Connection timed out) while reading response header from upstream"},
    ),
    LineSample(
        "2025/11/22 12:00:01 [warn] 31#31: 1024 worker_connections exceed open file resource limit: 512",
        {"level": "warn", "message": "1024 worker_connections exceed open file resource limit: 512"},
    ),
    LineSample(
        "2025/11/22 12:00:02 [crit] 9#9: *1 SSL_do_handshake() failed, client: 10.0.0.5, server: 0.0.0.0:443",
        {"level": "crit", "client": "10.0.0.5", "message": "SSL_do_handshake() failed"},
    ),
)  # fmt: skip
