"""Rust's tracing: the text of its full and compact formats, and its JSON.

The fields of the spans around an event become fields of the record, as those of the event do.

Source: the formatters of the crate tracing-subscriber.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, Dialect, LineSample, Pick, TextFormat
from locard.logs.lines.text_sql import PAIR_KEY, PAIR_QUOTED

_SPAN = r'[A-Za-z_][\w.:-]*(?:\{(?:[^{}"]|"(?:[^"\\]|\\.)*"|\{[^{}]*\})*\})?'
_TARGET = r"[a-z_][a-z0-9_]*(?:::[A-Za-z0-9_]+)*"

# A field may be the last one of its span.
_FIELD = rf"(?:^|[\s{{,])({PAIR_KEY})=({PAIR_QUOTED}|(?:[^\s\"{{}},]|\{{[^{{}}\s]*\}})+)"

TEXT = (
    TextFormat(
        rf"(?P<time>{ISO})\s+(?P<level>TRACE|DEBUG|INFO|WARN|ERROR)\s+(?:(?P<thread>ThreadId\(\d+\)|[\w-]+ ThreadId\(\d+\)) )?"
        rf"(?P<pairs>(?:(?P<spans>{_SPAN}(?::{_SPAN})*): )??(?P<logger>{_TARGET}): (?:(?P<source>[\w/.-]+\.rs:\d+): )?(?P<message>.*))",
        pair=_FIELD,
        rank=22,
    ),
)

DIALECT = Dialect(("target", "fields.message"), {"message": Pick("fields.message")})

SAMPLES = (
    LineSample(
        '2025-11-22T12:00:00.250000Z ERROR request{method=POST part="pay" id=7}:query{n=1}: shop::api: card declined took=12ms',
        {"time": 1763812800.25, "level": "error", "logger": "shop::api", "id": "7", "n": "1", "part": "pay", "method": "POST", "took": "12ms",
         "message": "card declined took=12ms"},
    ),
    LineSample(
        "2025-11-22T12:00:01.000000Z  INFO ThreadId(03) shop::server: src/main.rs:41: listening on 0.0.0.0:80",
        {"time": 1763812801.0, "level": "info", "thread": "ThreadId(03)", "message": "listening on 0.0.0.0:80"},
    ),
    LineSample(
        "2025-11-22T12:00:02.000000Z  WARN shop: queue: is long",
        {"time": 1763812802.0, "level": "warn", "logger": "shop", "message": "queue: is long"},
    ),
    LineSample(
        '{"timestamp":"2025-11-22T12:00:03.250000Z","level":"ERROR","fields":{"message":"card declined","status":503},'
        '"target":"shop::api","span":{"part":"pay","name":"request"},"spans":[{"part":"pay","name":"request"}]}',
        {"time": 1763812803.25, "level": "error", "message": "card declined", "span.part": "pay", "status": 503},
    ),
)  # fmt: skip

NEAR_MISSES = (
    "2025-11-22T12:00:00Z  INFO Shop ready: yes",
    "2025-11-22T12:00:00Z  INFO ready",
)
