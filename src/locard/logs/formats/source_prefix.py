"""Names of the writer before each line: kubectl logs --prefix, docker compose logs, stern.

Source: the output of these tools.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, Wrapper

# How lines begin that say their own time, or that of their request.
_OWN_HEAD = (
    r"(?:\S+ \S+ \S+ \[\d\d/[A-Z][a-z]{2}/\d{4}:|\[?\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:|[IWEF]\d{4} \d\d:|"
    r"(?:time|ts|timestamp|level)=)"
)

WRAPPERS = (
    Wrapper(
        r"\[pod/(?P<pod>[a-z0-9.-]+)/(?P<container>[a-z0-9.-]+)\] (?P<rest>.*)",
        names={"pod": "k8s.pod.name", "container": "k8s.container.name"},
        rank=20,
    ),
    Wrapper(
        r"(?P<container>[a-zA-Z0-9][\w.-]*) +\| (?P<rest>.*)",
        names={"container": "container.name"},
        rank=20,
    ),
    # kubectl logs --timestamps, docker logs --timestamps
    Wrapper(
        r"(?P<prefix_time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}(?:Z|[+-]\d\d:\d\d)) "
        rf"(?P<rest>\{{.*\}}|{_OWN_HEAD}.*)",
        names={"prefix_time": "prefix.time"},
        rank=35,
    ),
)

SAMPLES = (
    LineSample(
        '[pod/pay-7d9/app] {"time":"2025-11-22T12:00:00Z","status":503}',
        {"time": 1763812800.0, "status": 503, "k8s.pod.name": "pay-7d9"},
    ),
    LineSample(
        '[pod/pay-7d9/app] 2025-11-22T12:00:01.000000009Z {"time":"2025-11-22T12:00:01Z","status":200}',
        {"time": 1763812801.0, "status": 200, "k8s.container.name": "app"},
    ),
    LineSample(
        '2025-11-22T12:00:03.120000009Z 10.2.0.7 - - [22/Nov/2025:12:00:03 +0000] "GET /pay HTTP/1.1" 503 12',
        {
            "time": 1763812803.0,
            "status": 503,
            "endpoint": "/pay",
            "prefix.time": "2025-11-22T12:00:03.120000009Z",
        },
    ),
    LineSample(
        "2025-11-22T12:00:04.120000009Z 2025-11-22 12:00:04,100 ERROR shop.pay: card declined",
        {"time": 1763812804.1, "level": "error"},
    ),
    LineSample(
        'pay-1  | {"time":"2025-11-22T12:00:02Z","status":200}',
        {"time": 1763812802.0, "status": 200, "container.name": "pay-1"},
    ),
)
