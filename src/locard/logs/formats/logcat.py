"""Android's logcat in its forms threadtime, time and brief. Times have no year.

Source: the output formats that the documentation of logcat lists.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_LEVELS = {"v": "verbose", "d": "debug", "i": "info", "w": "warning", "e": "error", "f": "fatal",
           "a": "fatal"}  # fmt: skip
_TIME = r"(?P<time>(?:\d{4}-)?\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}(?:\d{3})?)"
_FORMS = ("%m-%d %H:%M:%S.%f",)
_LEVEL, _TAG = r"(?P<level>[VDIWEFA])", r"(?P<tag>[^:]{1,80}?)"
_NO_YEAR = _TIME.replace(r"(?:\d{4}-)?", "")
_YEAR = _TIME.replace(r"(?:\d{4}-)?", r"\d{4}-")
_THREADS = rf"(?: +[\w]+)?? +(?P<pid>\d+) +(?P<tid>\d+) {_LEVEL} {_TAG} *: ?(?P<message>.*)"

TEXT = (
    TextFormat(_NO_YEAR + _THREADS, time=_FORMS, levels=_LEVELS, rank=60),
    TextFormat(_YEAR + _THREADS, levels=_LEVELS, rank=60),
    TextFormat(
        rf"(?:{_NO_YEAR} )?{_LEVEL}/{_TAG} *\( *(?P<pid>\d+)\): ?(?P<message>.*)",
        time=_FORMS,
        levels=_LEVELS,
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "11-22 12:00:00.250  1702  2395 D WindowManager: printFreezingDisplayLogs wtoken = 9f",
        {"time": 1763812800.25, "level": "debug", "pid": "1702", "tid": "2395", "tag": "WindowManager",
         "message": "printFreezingDisplayLogs wtoken = 9f"},
    ),
    LineSample(
        "11-22 12:00:01.500  1702  2395 E ActivityManager: ANR in com.android.systemui",
        {"time": 1763812801.5, "level": "error", "message": "ANR in com.android.systemui"},
    ),
    LineSample(
        "2025-11-22 12:00:02.000  1702  2395 W art     : Long monitor contention",
        {"time": 1763812802.0, "level": "warning", "tag": "art"},
    ),
    LineSample(
        "E/AndroidRuntime( 1702): FATAL EXCEPTION: main",
        {"level": "error", "tag": "AndroidRuntime", "pid": "1702", "message": "FATAL EXCEPTION: main"},
    ),
    LineSample(
        "11-22 12:00:03.000 I/Zygote  (   42): accepting",
        {"time": 1763812803.0, "level": "info", "tag": "Zygote", "message": "accepting"},
    ),
)  # fmt: skip
