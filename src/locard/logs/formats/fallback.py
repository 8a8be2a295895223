"""Unknown text: a time and a level at the usual places, the rest is the message.

A line with neither is left to be counted as in no known format.

Source: what services write that follow no formatter of their own.
"""

from __future__ import annotations

from locard.logs.line_format import ISO, LEVELS, LineSample, TextFormat

_UPPER = rf"(?:(?:[^{{}}]{{0,60}}?[\s\[(<|=:]|)(?P<level>{LEVELS})[\]\s):>|,;]+)?"
_UNBOUNDED = _UPPER.replace("(?:[^{}]{0,60}?", "(?P<before>[^{}]*?")
_AFTER = r"[\])>|,;: -]"

# Where the time stands, and its form.
_TIMED = (
    (rf"[\[(<|*# ]{{0,3}}(?P<time>{ISO}){_AFTER}*", "iso"),
    (rf"[\[(]?(?P<time>\d{{4}}/\d\d/\d\d[ T]\d\d:\d\d:\d\d){_AFTER}*", "%Y/%m/%d %H:%M:%S"),
    (rf"[\[(]?(?P<time>1\d{{9}}(?:\.\d{{1,9}}|\d{{3}}|\d{{6}}|\d{{9}})?){_AFTER}+", "iso"),
    (rf"[\[(]?(?P<time>[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d){_AFTER}+", "%b %d %H:%M:%S"),
)

TEXT = (
    *(
        TextFormat(
            head + _UPPER + "(?P<message>.*)",
            time=form,
            unbounded=head + _UNBOUNDED + "(?P<message>.*)",
            rank=80,
        )
        for head, form in _TIMED
    ),
    TextFormat(rf"[\[(<|*]{{0,2}}(?P<level>{LEVELS})[\]):>|, -]+(?P<message>.*)", rank=90),
    TextFormat(rf"\[(?P<level>(?i:{LEVELS}))\] *(?P<message>.*)", rank=90),
    TextFormat(
        r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) (?P<message>.*)",
        rank=95,
    ),
)

SAMPLES = (
    LineSample(
        "2025-11-22 12:00:00 | worker 3 | ERROR | card declined",
        {"time": 1763812800.0, "level": "error", "message": "card declined"},
    ),
    LineSample(
        "1763812801.250 [WARN] queue is long",
        {"time": 1763812801.25, "level": "warn", "message": "queue is long"},
    ),
    LineSample("[error] no route to host", {"level": "error", "message": "no route to host"}),
    LineSample(
        "[2025-11-22T12:00:02Z] took longer than usual",
        {"time": 1763812802.0, "level": None, "message": "took longer than usual"},
    ),
)
