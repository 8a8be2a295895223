"""Docker's json-file driver, Fluent Bit and Fluentd: each line of the service as a string in an object.

What else stands in the object (attributes, labels, the pod) becomes fields.

Source: Docker's JSON file logging driver; the docker and cri parsers and the kubernetes filter of Fluent Bit.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, Wrapper

_FIELDS: dict[str, str | tuple[str, ...]] = {
    "prefix.stream": "/stream",
    "prefix.time": ("/time", "/@timestamp", "/timestamp", "/date"),
}

WRAPPERS = (
    Wrapper(
        rest="log",
        fields=_FIELDS,
        word='"stream":',
        others=True,
        rank=10,
    ),
    Wrapper(rest="log", fields=_FIELDS, word='"kubernetes":', others=True, rank=11),
    Wrapper(
        rest="message", fields=_FIELDS, word='"kubernetes":', others=True, only_json=True, rank=11
    ),
    Wrapper(rest="message", fields=_FIELDS, word='"logtag":', others=True, only_json=True, rank=11),
)

SAMPLES = (
    LineSample(
        r'{"log":"{\"ts\":1763812800.25,\"level\":\"error\",\"status\":503}\n","stream":"stdout","time":"2025-11-22T12:00:00.3Z"}',
        {"time": 1763812800.25, "level": "error", "status": 503, "prefix.stream": "stdout"},
    ),
    LineSample(
        r'{"log":"[error] no route to host\n","stream":"stderr","time":"2025-11-22T12:00:01.5Z"}',
        {"time": 1763812801.5, "level": "error", "prefix.stream": "stderr", "message": "no route to host"},
    ),
    LineSample(
        r'{"log":"{\"ts\":1763812802,\"level\":\"info\",\"status\":200}\r\n","stream":"stdout","time":"2025-11-22T12:00:02Z"}',
        {"time": 1763812802.0, "level": "info", "status": 200},
    ),
    LineSample(
        r'{"log":"[error] card declined\n","stream":"stderr","attrs":{"com.example.part":"pay"},"time":"2025-11-22T12:00:03Z"}',
        {"time": 1763812803.0, "level": "error", "attrs.com.example.part": "pay", "message": "card declined"},
    ),
    LineSample(
        r'{"date":1763812804.5,"logtag":"F","message":"{\"ts\":1763812804.25,\"status\":503}","kubernetes":{"pod_name":"pay-1","labels":{"app":"pay"}}}',
        {"time": 1763812804.25, "status": 503, "kubernetes.labels.app": "pay", "kubernetes.pod_name": "pay-1"},
    ),
)  # fmt: skip
