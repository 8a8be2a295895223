"""Unknown text: a time and a level where text usually has them, the rest is the message.

The time stands at the start or, where no time does, behind a few words; the level behind it, or before it. A
line with neither is left to be counted as in no known format.

Source: what services write that follow no formatter of their own.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LEVELS, LineSample, TextFormat

_SHORT = {
    "inf": "info", "wrn": "warning", "dbg": "debug", "ftl": "fatal", "vrb": "verbose", "trc": "trace",
    "note": "notice", "fail": "error", "log": "info", "e": "error", "w": "warning", "i": "info", "d": "debug",
    "f": "fatal", "c": "critical",
}  # fmt: skip
# A level in capitals, or in other letters where brackets, bars or a colon set it apart.
_LEVEL = (
    rf"(?P<level_end>(?:{LEVELS}|INF|WRN|DBG|FTL|VRB|TRC)[\]\s):>|,;/]|"
    rf"(?i:{LEVELS}|note|fail|log|[ewidfc])[\]>)|]|(?i:{LEVELS}|note):|[EWIDF] \|)"
)
_UPPER = rf"(?:(?:[^{{}}]{{0,60}}?[\s\[(<|=:]|){_LEVEL}[\]\s):>|,;/]*)?"
_UNBOUNDED = _UPPER.replace("(?:[^{}]{0,60}?", "(?P<before>[^{}]*?")
_AFTER = r"[\])>|,;: -]"
_FRACTION = r"(?:[.,]\d{1,6})?"
_MONTH, _CLOCK = r"[A-Z][a-z]{2}", r"\d\d:\d\d:\d\d"


def _forms(form: str) -> tuple[str, ...]:
    return form, f"{form}.%f"


def _any(*written: tuple[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    """One of some ways of writing a time."""
    return f"(?:{'|'.join(time for time, _ in written)})", tuple(
        f for _, forms in written for f in forms
    )


# How times are written, and the forms of each. Those of a group are tried one after the other.
_ISO = (ISO, ("iso",))
_EPOCH = (r"1\d{9}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?", ("iso",))
_WITH_YEAR = _any(
    (rf"\d{{4}}/\d\d/\d\d[ T]{_CLOCK}{_FRACTION}", _forms("%Y/%m/%d %H:%M:%S")),
    (rf"\d{{4}} {_MONTH} [ \d]\d {_CLOCK}{_FRACTION}", _forms("%Y %b %d %H:%M:%S")),
    (rf"\d{{1,2}}-{_MONTH}-\d{{4}} {_CLOCK}{_FRACTION}", _forms("%d-%b-%Y %H:%M:%S")),
    (rf"\d{{1,2}} {_MONTH} \d{{4}},? {_CLOCK}{_FRACTION}", _forms("%d %b %Y %H:%M:%S")),
    (
        rf"\d{{1,2}}/{_MONTH}/\d{{4}}[: ]{_CLOCK}{_FRACTION}",
        (*_forms("%d/%b/%Y:%H:%M:%S"), *_forms("%d/%b/%Y %H:%M:%S")),
    ),
    (
        rf"(?:{_MONTH} )?{_MONTH} [ \d]\d {_CLOCK}(?:\.\d{{1,6}})? \d{{4}}",
        (
            "%a %b %d %H:%M:%S %Y",
            "%a %b %d %H:%M:%S.%f %Y",
            "%b %d %H:%M:%S %Y",
            "%b %d %H:%M:%S.%f %Y",
        ),
    ),
    (rf"{_MONTH} \d{{1,2}}, \d{{4}},? \d{{1,2}}:\d\d:\d\d [AP]M", ("%b %d %Y %I:%M:%S %p",)),
    (
        r"\d{8}[-_ ]\d{1,2}:\d{1,2}:\d{1,2}(?:[.,:]\d{1,6})?",
        (
            *_forms("%Y%m%d-%H:%M:%S"),
            "%Y%m%d-%H:%M:%S:%f",
            *_forms("%Y%m%d %H:%M:%S"),
            "%Y%m%d_%H:%M:%S",
        ),
    ),
    (
        rf"\d{{8}}[-_T]?\d{{6}}{_FRACTION}Z?",
        (
            *_forms("%Y%m%dT%H%M%S"),
            "%Y%m%dT%H%M%SZ",
            *_forms("%Y%m%d-%H%M%S"),
            "%Y%m%d_%H%M%S",
            "%Y%m%d%H%M%S",
        ),
    ),
    (rf"\d{{1,2}}\.\d{{1,2}}\.\d{{4}},? {_CLOCK}{_FRACTION}", _forms("%d.%m.%Y %H:%M:%S")),
    (rf"\d{{4}}\.\d\d\.\d\d[ -]{_CLOCK}{_FRACTION}", _forms("%Y.%m.%d %H:%M:%S")),
    (r"\d{6} [ \d]\d:\d\d:\d\d", ("%y%m%d %H:%M:%S",)),
)
_ZONED = (rf"\d{{1,2}}/{_MONTH}/\d{{4}}:{_CLOCK} [+-]\d{{4}}", ("%d/%b/%Y:%H:%M:%S %z",))
# As `date` writes it.
_UNIX_DATE = (
    rf"(?:{_MONTH} )?{_MONTH} [ \d]\d {_CLOCK}{_FRACTION} [A-Z]{{3,5}} \d{{4}}",
    ("%a %b %d %H:%M:%S %Z %Y", "%b %d %H:%M:%S %Z %Y", "%a %b %d %H:%M:%S.%f %Z %Y"),
)
_WITHOUT_YEAR = _any(
    (rf"{_MONTH} [ \d]\d {_CLOCK}{_FRACTION}", _forms("%b %d %H:%M:%S")),
    (rf"\d\d-\d\d {_CLOCK}{_FRACTION}", _forms("%m-%d %H:%M:%S")),
)
_CLOCK_ALONE = (rf"{_CLOCK}{_FRACTION}", _forms("%H:%M:%S"))
# Either of two numbers may be the day.
_DAY_OR_MONTH = _any(
    (r"\d{1,2}/\d{1,2}/\d{4},? \d{1,2}:\d\d:\d\d [AP]M", ("%d/%m/%Y %I:%M:%S %p",)),
    (rf"\d{{1,2}}/\d{{1,2}}/\d{{4}},? {_CLOCK}{_FRACTION}", _forms("%d/%m/%Y %H:%M:%S")),
    (rf"\d{{1,2}}-\d{{1,2}}-\d{{4}} {_CLOCK}{_FRACTION}", _forms("%d-%m-%Y %H:%M:%S")),
)
_DAY_OR_MONTH_ALONE = (rf"\d\d[.]\d\d {_CLOCK}", ("%d.%m %H:%M:%S",))

_START = r"[\[(<|*# ]{0,3}"
# Behind a few words that are no JSON; what they are is kept as they may tell lines apart.
_BEHIND = r"(?P<head>[^{}]{0,60}?)[ \[(|=,]"
_LEVEL_BEFORE = rf"[\[(<]?(?P<level>{LEVELS})[\])>:|, -]+(?:[^{{}}]{{0,60}}?[ \[(|=,])??"


def _read(before: str, written: tuple[str, tuple[str, ...]], rank: int) -> TextFormat:
    time, forms = written
    head = rf"{before}(?P<time>{time}){_AFTER}{'*' if time is ISO else '+'}"
    level = "" if before is _LEVEL_BEFORE else _UPPER
    return TextFormat(
        f"{head}{level}(?P<message>.*)",
        time=forms,
        day_or_month=written in {_DAY_OR_MONTH, _DAY_OR_MONTH_ALONE},
        levels=_SHORT,
        opens=before is _START,
        looks=f"{head}.*",
        unbounded=f"{head}{_UNBOUNDED}(?P<message>.*)" if before is _START else "",
        rank=rank,
    )


_OTHERS = (_UNIX_DATE, _WITH_YEAR, _WITHOUT_YEAR, _DAY_OR_MONTH, _DAY_OR_MONTH_ALONE)

TEXT = (
    _read(_START, _ISO, 80),
    *(_read(_START, written, 81) for written in (_ZONED, *_OTHERS, _EPOCH, _CLOCK_ALONE)),
    *(_read(_LEVEL_BEFORE, written, 84) for written in (_ISO, *_OTHERS)),
    *(_read(_BEHIND, written, 86) for written in (_ISO, _ZONED, *_OTHERS, (r"1\d{9}", ("iso",)))),
    TextFormat(rf"[\[(<|*]{{0,2}}(?P<level>{LEVELS})[\]):>|, -]+(?P<message>.*)", rank=90),
    TextFormat(rf"\[(?P<level>(?i:{LEVELS}))\] *(?P<message>.*)", rank=90),
    TextFormat(r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) (?P<message>.*)", rank=95),
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
    LineSample(
        "2025-11-22 12:00:03.250 pay[412] [wrn] slow reply",
        {"time": 1763812803.25, "level": None, "message": "pay[412] [wrn] slow reply"},
    ),
    LineSample(
        "22-Nov-2025 12:00:04.500 queries: error: client @0x7f SERVFAIL",
        {"time": 1763812804.5, "level": "error", "message": "client @0x7f SERVFAIL"},
    ),
    LineSample(
        "20251122-12:00:05:606|Step_LSC|30002312|onStandStepChanged 3579",
        {"time": 1763812805.606, "level": None, "message": "Step_LSC|30002312|onStandStepChanged 3579"},
    ),
    LineSample(
        "Sat Nov 22 14:00:05 CEST 2025 app[869] ERROR: refused",
        {"time": 1763812805.0, "level": "error", "message": "refused"},
    ),
    LineSample(
        "2024 Nov 22 12:00:05 pay: refused",
        {"time": 1732276805.0, "message": "pay: refused"},
    ),
    LineSample(
        "[11.22 12:00:06] chrome.exe - proxy:5070 close, 0 bytes sent",
        {"time": 1763812806.0, "message": "chrome.exe - proxy:5070 close, 0 bytes sent"},
    ),
    LineSample(
        "2490 node-7 unix.hw state_change.unavailable 1763812807 1 Component State Change",
        {"time": 1763812807.0, "head": "2490 node-7 unix.hw state_change.unavailable",
         "message": "1 Component State Change"},
    ),
    LineSample(
        "[Nest] 412  - 11/22/2025, 12:00:08 PM   ERROR [PayService] card declined",
        {"time": 1763812808.0, "level": "error", "message": "[PayService] card declined"},
    ),
    LineSample(
        "WARN  [main] Sat Nov 22 12:00:09 2025 pool is small",
        {"time": 1763812809.0, "level": "warn", "message": "pool is small"},
    ),
    LineSample(
        "22.11.2025 12:00:10 Error: no route to host",
        {"time": 1763812810.0, "level": "error", "message": "no route to host"},
    ),
)  # fmt: skip
