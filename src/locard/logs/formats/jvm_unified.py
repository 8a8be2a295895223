"""The JVM's unified log (-Xlog): collections, safepoints, with time or seconds since the start.

Source: JEP 158 and the decorations that `java -Xlog:help` lists; -XX:+PrintGCDateStamps of Java 8.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

_SAID = r"(?P<message>(?:GC\(\d+\) )?(?:Pause .*? (?P<duration_ms>\d+\.\d{1,3})ms|.*))"
_REST = r"(?:\[\d+\])*\[(?P<level>[a-z]+) *\]\[(?P<tags>[\w,+]+) *\] " + _SAID

TEXT = (
    TextFormat(rf"\[(?P<time>{ISO})\](?:\[\d+\.\d+s\])?" + _REST, rank=60),
    TextFormat(r"\[(?P<since_start_s>\d+\.\d{3})s\]" + _REST, rank=60),
    TextFormat(
        rf"(?P<time>{ISO}): (?:\d+\.\d{{3}}: )?"
        r"(?P<message>\[(?:Full )?GC .*?, (?P<pause_s>\d+\.\d+) secs\].*|\[(?:Full )?GC .*)",
        names={"pause_s": "duration_s"},
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "[2025-11-22T12:00:00.123+0000][info][gc] GC(12) Pause Young (Normal) (G1 Evacuation Pause) 24M->4M(256M) 3.251ms",
        {"time": 1763812800.123, "level": "info", "tags": "gc", "duration_ms": 3.251},
    ),
    LineSample(
        "[2025-11-22T12:00:01.000+0000][12.345s][warning][gc,ergo] Attempting full compaction",
        {"time": 1763812801.0, "level": "warning", "tags": "gc,ergo", "message": "Attempting full compaction"},
    ),
    LineSample(
        "[7.300s][info ][gc,start     ] GC(13) Pause Full (Allocation Failure)",
        {"time": 1764547200.0, "level": "info", "message": "GC(13) Pause Full (Allocation Failure)"},
    ),
)  # fmt: skip
