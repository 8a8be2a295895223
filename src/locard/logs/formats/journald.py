"""journalctl -o json: microseconds, syslog priorities, and the service's own JSON inside MESSAGE.

Source: the JSON output mode of journalctl; systemd.journal-fields(7).
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick, Wrapper

DIALECT = Dialect(
    ("__REALTIME_TIMESTAMP",),
    {"time": Pick("__REALTIME_TIMESTAMP", "us"), "level": Pick("PRIORITY", numbering="syslog"),
     "message": Pick("MESSAGE"), "service": Pick("_SYSTEMD_UNIT"), "instance": Pick("_HOSTNAME")},
)  # fmt: skip

WRAPPERS = (
    Wrapper(
        rest="MESSAGE",
        fields={
            "__REALTIME_TIMESTAMP": "/__REALTIME_TIMESTAMP",
            "service.name": "/_SYSTEMD_UNIT",
            "host.name": "/_HOSTNAME",
            "process.pid": "/_PID",
        },
        word='"__REALTIME_TIMESTAMP"',
        only_json=True,
        may_be_bytes=True,
        rank=10,
    ),
)

SAMPLES = (
    LineSample(
        '{"__REALTIME_TIMESTAMP":"1763812799000000","PRIORITY":"6","MESSAGE":[27,91,51,49,109,108,97,116,195,169,13]}',
        {"time": 1763812799.0, "message": "\x1b[31mlat\u00e9\r"},
    ),
    LineSample(
        '{"__REALTIME_TIMESTAMP":"1763812800250000","PRIORITY":"3","MESSAGE":"card declined","_SYSTEMD_UNIT":"pay.service","_HOSTNAME":"web-1","_PID":"412"}',
        {
            "time": 1763812800.25,
            "level": "error",
            "message": "card declined",
            "_SYSTEMD_UNIT": "pay.service",
        },
    ),
    LineSample(
        '{"__REALTIME_TIMESTAMP":"1763812801000000","PRIORITY":"6","MESSAGE":"Started pay.service.","_HOSTNAME":"web-1"}',
        {"time": 1763812801.0, "level": "info"},
    ),
    LineSample(
        r'{"__REALTIME_TIMESTAMP":"1763812802000000","PRIORITY":"6","MESSAGE":"{\"level\":\"error\",\"status\":503,\"path\":\"/pay\"}","_SYSTEMD_UNIT":"pay.service"}',
        {
            "time": 1763812802.0,
            "level": "error",
            "status": 503,
            "endpoint": "/pay",
            "service.name": "pay.service",
        },
    ),
)
