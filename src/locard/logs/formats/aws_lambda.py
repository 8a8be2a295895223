"""AWS Lambda: the platform's START, END and REPORT lines, what functions write, and Lambda's JSON.

A line may stand behind its time and the name of its log stream, as `aws logs tail` and `sam logs` write them.

Source: the log formats that AWS documents for Lambda; the console methods of its runtimes.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, Dialect, LineSample, Pick, TextFormat

_ID = r"(?P<request_id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_STREAM = r"(?P<stream>\d{4}/\d\d/\d\d/[\w.-]*\[[\w$.-]+\][0-9a-f]+)"
_BEFORE = rf"(?:(?P<time>{ISO})\s+)?(?:{_STREAM}\s+)?(?:(?P<time_b>{ISO})\s+)?"
_NAMES = {"time_b": "written", "max_memory": "max_memory_used_mb", "memory": "memory_size_mb"}
_REPORT = (
    r"(?P<message>(?P<level>REPORT) RequestId: " + _ID + r"\s+Duration: (?P<duration_ms>[\d.]+) ms\s+"
    r"Billed Duration: (?P<billed_ms>[\d.]+) ms\s+Memory Size: (?P<memory>\d+) MB\s+"
    r"Max Memory Used: (?P<max_memory>\d+) MB(?:\s+Init Duration: (?P<init_ms>[\d.]+) ms)?"
)  # fmt: skip
_LEVELS = {"report": "info", "start": "info", "end": "info", "init_start": "info", "task timed out": "error",
           "process exited before completing request": "error", "runtime exited": "error", "timeout": "error",
           "failure": "error"}  # fmt: skip

TEXT = (
    TextFormat(
        _BEFORE + _REPORT.replace("(?P<level>REPORT)", "REPORT")
        + r".*\sStatus: (?P<level>timeout|error|failure)(?:\s.*)?)",
        names=_NAMES,
        levels=_LEVELS,
        words=("RequestId",), rank=16,
    ),
    TextFormat(_BEFORE + _REPORT + r".*)", names=_NAMES, levels=_LEVELS, words=("RequestId",), rank=17),
    TextFormat(
        _BEFORE + r"(?P<message>(?P<level>START|END) RequestId: " + _ID + r"(?:\s+Version: (?P<version>\S+))?)",
        names=_NAMES,
        levels=_LEVELS,
        words=("RequestId",), rank=16,
    ),
    TextFormat(
        _BEFORE + r"(?P<message>(?P<level>INIT_START) Runtime Version: (?P<runtime>\S+).*)",
        names=_NAMES,
        levels=_LEVELS,
        words=("INIT_START",), rank=16,
    ),
    TextFormat(
        _BEFORE + r"(?:RequestId: )?" + _ID
        + r" (?P<message>(?:Error: )?(?P<level>Task timed out|Process exited before completing request|Runtime exited).*)",
        names=_NAMES,
        levels=_LEVELS,
        words=("timed out", "exited"), rank=16,
    ),
    # Node's console: the time, the request and the level between tabs; Python's logging: the level first.
    TextFormat(
        rf"(?:{_STREAM}\s+)?(?P<time>{ISO})\s+(?:{_STREAM.replace('stream', 'stream_b')}\s+)?(?:(?P<time_b>{ISO})\t)?"
        rf"(?:{_ID}|undefined)\t(?P<level>[A-Z]+)\t(?P<message>.*)",
        names={"time_b": "written", "stream_b": "stream"},
        words=("\t",), rank=16,
    ),
    TextFormat(
        rf"(?:{ISO}\s+)?(?:{_STREAM}\s+)?\[(?P<level>[A-Z]+)\]\s+(?P<time>{ISO})\t{_ID}\t(?P<message>.*)",
        words=("\t",), rank=15,
    ),
)  # fmt: skip

DIALECT = Dialect(
    ("type", "record.requestId"),
    {"time": Pick("time"), "duration": Pick("record.metrics.durationMs", "ms"), "trace_id": Pick("record.requestId"),
     "level": Pick("record.status", words={"timeout": "error", "success": "info", "failure": "error"})},
)  # fmt: skip

SAMPLES = (
    LineSample(
        "REPORT RequestId: 8f507cfc-0010-4697-b07a-ac58fc914c95\tDuration: 102.25 ms\tBilled Duration: 103 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 61 MB\tInit Duration: 200.10 ms\t",
        {"level": "info", "duration_ms": 102.25, "billed_ms": "103", "max_memory_used_mb": "61", "init_ms": "200.10",
         "trace_id": "8f507cfc-0010-4697-b07a-ac58fc914c95"},
    ),
    LineSample(
        "2025-11-22T12:00:00.250000+00:00 2025/11/22/[$LATEST]5f2c9a START RequestId: 8f507cfc-0012-4697-b07a-ac58fc914c95 Version: $LATEST",
        {"time": 1763812800.25, "level": "info", "stream": "2025/11/22/[$LATEST]5f2c9a", "version": "$LATEST"},
    ),
    LineSample(
        "2025-11-22T12:00:03.250Z 8f507cfc-0013-4697-b07a-ac58fc914c95 Task timed out after 3.00 seconds",
        {"time": 1763812803.25, "level": "error", "message": "Task timed out after 3.00 seconds"},
    ),
    LineSample(
        "2025-11-22T12:00:04.250Z\t8f507cfc-0014-4697-b07a-ac58fc914c95\tERROR\tcard declined",
        {"time": 1763812804.25, "level": "error", "message": "card declined"},
    ),
    LineSample(
        "[WARNING]\t2025-11-22T12:00:05.250Z\t8f507cfc-0015-4697-b07a-ac58fc914c95\tslow reply",
        {"time": 1763812805.25, "level": "warning", "message": "slow reply"},
    ),
    LineSample(
        "REPORT RequestId: 8f507cfc-0016-4697-b07a-ac58fc914c95\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t"
        "Memory Size: 128 MB\tMax Memory Used: 61 MB\tStatus: timeout",
        {"level": "error", "duration_ms": 3000.0},
    ),
    LineSample(
        '{"time":"2025-11-22T12:00:06.250Z","type":"platform.report","record":{"requestId":"8f50","metrics":'
        '{"durationMs":12.5,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":61},"status":"error"}}',
        {"time": 1763812806.25, "duration_ms": 12.5, "level": "error", "trace_id": "8f50"},
    ),
)  # fmt: skip

NEAR_MISSES = (
    "START of the day",
    "REPORT Duration: 12 ms",
    "2025-11-22T12:00:00Z Task timed out after 3.00 seconds",
)
