"""Lines of OpenStack's services, alone or behind the name of the file they were collected from.

Source: oslo.log's default logging_context_format_string; nova's WSGI server.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LEVELS, LineSample, TextFormat

_TIME = r"(?:[\w.-]+\.log[\w.:-]* )?(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})"
_SAID = (
    r'[\w.:]+ "(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" status: (?P<status>\d{3}) '
    r"len: (?P<bytes>\d+) time: (?P<duration_s>[\d.]+).*|.*"
)

TEXT = (
    TextFormat(
        rf"{_TIME} (?P<pid>\d+) (?P<level>{LEVELS}) (?P<logger>[A-Za-z_][\w.-]*) "
        rf"\[(?:-|(?:\w+-)?req-(?P<request_id>[0-9a-f-]+)[^\]]*)\] "
        rf"(?:\[instance: (?P<instance_id>[0-9a-f-]+)\] )?(?P<message>{_SAID})",
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "nova-api.log.1.2025-11-22_13:53:08 2025-11-22 12:00:00.008 25746 INFO nova.osapi_compute.wsgi.server "
        "[req-38101a0b-2096-447d-96ea-a692162415ae 113d3a99 54fadb41 - - -] 10.11.10.1 "
        '"GET /v2/54fadb41/servers/detail HTTP/1.1" status: 500 len: 1893 time: 0.25',
        {"time": 1763812800.008, "level": "info", "status": 500, "duration_ms": 250.0, "method": "GET",
         "endpoint": "/v2/54fadb41/servers/detail", "trace_id": "38101a0b-2096-447d-96ea-a692162415ae"},
    ),
    LineSample(
        "2025-11-22 12:00:01.500 2931 ERROR nova.compute.manager [req-3ea4052c-895d-4b64-9e2d-04d64c4d94ab - - - - -] "
        "[instance: b9000564-fe1a-409b-b8cc-1e88b294cd1d] Failed to build",
        {"time": 1763812801.5, "level": "error", "logger": "nova.compute.manager",
         "instance_id": "b9000564-fe1a-409b-b8cc-1e88b294cd1d", "message": "Failed to build"},
    ),
    LineSample(
        "2025-11-22 12:00:02.000 2931 WARNING oslo_config.cfg [-] Option is deprecated",
        {"level": "warning", "message": "Option is deprecated", "trace_id": None},
    ),
)  # fmt: skip
