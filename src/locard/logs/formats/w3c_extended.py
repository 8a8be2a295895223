"""W3C extended logs: IIS, CloudFront and others, whose columns the line `#Fields:` names.

Their times are UTC. Durations are in ms, or in s where they have a fraction.

Source: the working draft of the W3C on the extended log file format; the fields that IIS and CloudFront document.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Columns, LineSample

COLUMNS = (
    Columns(
        head="#Fields:",
        comment="#",
        names={
            "cs-method": "method", "cs-uri-stem": "path", "cs-uri-query": "query", "cs-uri": "path",
            "sc-status": "status", "time-taken": "time_taken", "c-ip": "client", "s-ip": "host",
            "s-computername": "host", "s-port": "port", "cs-username": "user", "cs-bytes": "bytes_in",
            "sc-bytes": "bytes", "cs(User-Agent)": "user_agent", "cs(Referer)": "referer",
            "cs-host": "vhost", "cs(Host)": "vhost", "sc-substatus": "substatus",
            "sc-win32-status": "win32_status", "s-sitename": "site", "cs-version": "protocol",
        },
    ),
)  # fmt: skip

SAMPLES = (
    LineSample("#Software: Microsoft Internet Information Services 10.0", None),
    LineSample("#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query sc-status time-taken", None),
    LineSample(
        "2025-11-22 12:00:00 10.0.0.5 GET /orders/7 page=1 500 912",
        {"time": 1763812800.0, "status": 500, "duration_ms": 912.0, "endpoint": "/orders/7", "query": "page=1",
         "host": "10.0.0.5"},
    ),
    LineSample(
        "2025-11-22 12:00:01 10.0.0.5 POST /pay - 200 15",
        {"time": 1763812801.0, "status": 200, "query": None},
    ),
    LineSample("#Fields: date time cs-method cs-uri-stem sc-status", None),
    LineSample(
        "2025-11-22 12:00:02 GET /health 200",
        {"time": 1763812802.0, "status": 200, "endpoint": "/health", "duration_ms": None},
    ),
)  # fmt: skip
