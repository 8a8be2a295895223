"""PostgreSQL's jsonlog (from version 15): one object a message, keys without a value left out.

A duration stands within the message: it is no field.

Source: "Using JSON-Format Log Output" in PostgreSQL's manual.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Dialect, LineSample, Pick

DIALECT = Dialect(
    ("error_severity", "timestamp"),
    {
        "level": Pick("error_severity"),
        "time": Pick("timestamp"),
        "message": Pick("message"),
        "instance": Pick("pid"),
        "service": Pick("application_name"),
        "": Pick("txid"),  # of the database, and mostly 0
    },
)

SAMPLES = (
    LineSample(
        '{"timestamp":"2025-11-22 12:00:00.250 UTC","user":"shop","dbname":"orders","pid":412,"error_severity":"ERROR",'
        '"state_code":"40P01","message":"deadlock detected","detail":"Process 412 waits for ShareLock.","application_name":"api"}',
        {"time": 1763812800.25, "level": "error", "message": "deadlock detected", "dbname": "orders"},
    ),
    LineSample(
        '{"timestamp":"2025-11-22 14:00:01.000 CET","pid":413,"error_severity":"LOG","message":"duration: 1203.500 ms  statement: SELECT 1"}',
        {"time": 1763816401.0, "level": "log"},
    ),
    LineSample(
        '{"timestamp":"2025-11-22 12:00:02.000 UTC","pid":1,"error_severity":"FATAL","message":"sorry, too many clients already"}',
        {"level": "fatal", "pid": "1"},
    ),
)  # fmt: skip

NEAR_MISSES = (
    '{"timestamp":"2025-11-22 12:00:00 UTC","severity":"ERROR","message":"deadlock detected"}',
)
