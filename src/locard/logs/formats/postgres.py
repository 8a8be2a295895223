"""PostgreSQL's server log with its usual prefixes, those of packages and of managed services.

Source: log_line_prefix as PostgreSQL, Debian and managed PostgreSQL services set it.
"""

from __future__ import annotations

from locard.logs.lines.line_format import LineSample, TextFormat

_TIME = r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})?(?: (?:UTC|[+-]\d\d(?::?\d\d)?))?)(?: (?P<zone>[A-Z]{3,5}))?"
_LEVEL = r"(?P<level>DEBUG[1-5]?|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|STATEMENT|CONTEXT|QUERY|LOCATION)"
_SAID = r": +(?:(?P<code>[0-9A-Z]{5}): )?(?P<message>duration: (?P<duration_ms>[\d.]+) ms.*|.*)"
_LEVELS = dict.fromkeys(
    ("log", "detail", "hint", "statement", "context", "query", "location"), "info"
) | {f"debug{i}": "debug" for i in range(1, 6)}

TEXT = (
    TextFormat(
        _TIME
        + r" \[(?P<pid>\d+)\](?:-\d+|: \[[\d-]+\])? (?:(?P<user>[\w.\[\]-]+)@(?P<database>[\w.\[\]-]+) )?"
        r"(?:user=(?P<user_b>[^, ]*),db=(?P<database_b>[^, ]*)(?:,app=(?P<app>[^, ]*))?(?:,client=(?P<client_b>\S*))? )?"
        + _LEVEL
        + _SAID,
        names={
            "user_b": "user",
            "database_b": "database",
            "client_b": "client",
            "code": "sqlstate",
            "zone": "time_zone",
        },
        levels=_LEVELS,
        rank=60,
    ),
    TextFormat(
        _TIME
        + r":(?P<client>[^()@:]*)(?:\(\d+\))?:(?P<user>[^@:]*)@(?P<database>[^:]*):\[(?P<pid>\d+)\]:"
        + _LEVEL
        + _SAID,
        names={"code": "sqlstate", "zone": "time_zone"},
        levels=_LEVELS,
        rank=60,
    ),
)

SAMPLES = (
    LineSample(
        "2025-11-22 12:00:00.123 UTC [412] ERROR:  deadlock detected",
        {"time": 1763812800.123, "level": "error", "pid": "412", "message": "deadlock detected"},
    ),
    LineSample(
        "2025-11-22 12:00:00.123 UTC [412] DETAIL:  Process 412 waits for ShareLock;",
        {"level": "info", "message": "Process 412 waits for ShareLock;\nProcess 6 waits for it."},
    ),
    LineSample("\tProcess 6 waits for it.", None),
    LineSample(
        "2025-11-22 12:00:01.000 UTC [413] shop@orders FATAL:  sorry, too many clients already",
        {"level": "fatal", "user": "shop", "database": "orders"},
    ),
    LineSample(
        "2025-11-22 12:00:02 UTC:10.0.0.4(5432):shop@orders:[414]:LOG:  duration: 1203.500 ms  statement: SELECT 1",
        {"time": 1763812802.0, "level": "info", "client": "10.0.0.4", "duration_ms": 1203.5},
    ),
)  # fmt: skip
