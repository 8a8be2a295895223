"""Docker's json-file driver: each line of the service as a string in an object.

Source: Docker's JSON file logging driver.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, Wrapper

WRAPPERS = (
    Wrapper(
        rest="log",
        fields={"prefix.stream": "/stream", "prefix.time": "/time"},
        word='"stream":',
        rank=10,
    ),
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
)  # fmt: skip
