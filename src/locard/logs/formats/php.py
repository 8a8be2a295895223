"""PHP: its error log, FPM's, and Monolog's lines as Laravel and Symfony write them.

Source: php_log_err, fpm's zlog, Monolog's LineFormatter.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

_DAY = r"\[(?P<time>\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d)"
_FORM = "%d-%b-%Y %H:%M:%S"

TEXT = (
    TextFormat(
        _DAY
        + r"(?: (?P<zone>[\w/+-]+))?\] (?:PHP (?P<level>[A-Z][a-z]+(?: [a-z]+)?): +)?(?P<message>.*)",
        time=_FORM,
        names={"zone": "time_zone"},
        levels={
            "fatal error": "fatal",
            "parse error": "error",
            "deprecated": "notice",
            "recoverable fatal error": "error",
            "core error": "error",
            "compile error": "error",
            "strict standards": "notice",
            "user error": "error",
            "stack trace": "info",
        },
        rank=61,
    ),
    TextFormat(
        _DAY
        + r"(?:\.\d+)?\] (?P<level>DEBUG|NOTICE|WARNING|ERROR|ALERT): (?:\[pool (?P<pool>[^\]]+)\] )?(?P<message>.*)",
        time=_FORM,
        rank=60,
    ),
    TextFormat(
        rf"\[(?P<time>{ISO})\] (?P<logger>[\w-]+)\."
        r"(?P<level>DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|ALERT|EMERGENCY): (?P<message>.*)",
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "[22-Nov-2025 12:00:00 UTC] PHP Fatal error:  Uncaught Error: Call to undefined function pay()",
        {"time": 1763812800.0, "level": "fatal", "message": "Uncaught Error: Call to undefined function pay()"},
    ),
    LineSample(
        "[22-Nov-2025 12:00:01] WARNING: [pool www] server reached pm.max_children setting (5)",
        {"level": "warning", "pool": "www", "message": "server reached pm.max_children setting (5)"},
    ),
    LineSample(
        '[2025-11-22T12:00:02.500000+00:00] app.ERROR: card declined {"order":7} []',
        {"time": 1763812802.5, "level": "error", "logger": "app", "message": 'card declined {"order":7} []'},
    ),
    LineSample(
        "[2025-11-22 12:00:03] production.INFO: charged",
        {"time": 1763812803.0, "level": "info", "logger": "production"},
    ),
)  # fmt: skip
