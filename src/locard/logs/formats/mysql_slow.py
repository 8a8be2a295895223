"""The slow query log of MySQL, MariaDB and Percona Server: comments with numbers, then the statement.

Source: the slow query log's format in the manuals of MySQL, MariaDB and Percona.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

_USER = (
    r"# User@Host: (?P<user>[^\[\]]*?)\[(?P<login>[^\]]*)\]\s*@\s*(?:(?P<host>[\w.:-]+)\s*)?\[(?P<client>[^\]]*)\]"
    r"(?:\s+Id:\s*(?P<connection>\d+))?.*"
)
_TOOK = (
    r"# Query_time: (?P<query_time_s>[\d.]+)\s+Lock_time: (?P<lock_time_s>[\d.]+)\s+Rows_sent: (?P<rows_sent>\d+)\s+"
    r"Rows_examined: (?P<rows_examined>\d+)(?:\s.*)?"
)
_COMMENT = r"# (?:Thread_id|Schema|Bytes_sent|Rows_affected|QC_hit|InnoDB_trx_id|Full_scan|Filesort|Log_slow_rate_type|Stored_routine|explain|No InnoDB)\b"

# `# Time:` is left out within a second in old versions, so each of the three may be the first.
TEXT = (
    TextFormat(
        rf"# Time: (?P<time>{ISO})", opens=True, joined=True, words=("# Time",), rank=30, begins=True,
    ),
    TextFormat(
        r"# Time: (?P<time>\d{6}\s+\d{1,2}:\d\d:\d\d)", time="%y%m%d %H:%M:%S", opens=True, joined=True, begins=True, words=("# Time",), rank=30,
    ),
    TextFormat(_USER, opens=True, joined=True, words=("# User@Host",), rank=30),
    TextFormat(_TOOK, opens=True, joined=True, words=("# Query_time",), rank=30),
    TextFormat(
        r"# Thread_id: (?P<connection>\d+)\s+Schema: (?P<database>\S*)(?:\s.*)?", opens=True, joined=True, words=("# Thread_id",), rank=30,
    ),
    TextFormat(_COMMENT + r".*?(?:Bytes_sent: (?P<bytes_sent>\d+).*)?", opens=True, joined=True, words=("# ",), rank=31),
    TextFormat(r"(?i:use) (?P<database>`?[\w$-]+`?);", opens=True, joined=True, words=("use ", "USE ", "Use "), rank=31),
    TextFormat(r"SET timestamp=(?P<time>\d{9,10}(?:\.\d+)?);", opens=True, joined=True, words=("SET timestamp",), rank=30),
)  # fmt: skip

SAMPLES = (
    LineSample("# Time: 2025-11-22T12:00:00.250000Z", {"time": 1763812800.25, "user": "shop", "host": "web-1", "duration_ms": 2000.0,
               "database": "orders", "message": "SELECT id\nFROM orders;", "rows_examined": "7"}),
    LineSample("# User@Host: shop[shop] @ web-1 [10.0.0.4]  Id:   412", None),
    LineSample("# Query_time: 2.000000  Lock_time: 0.000002 Rows_sent: 1  Rows_examined: 7", None),
    LineSample("use orders;", None),
    LineSample("SET timestamp=1763812798;", None),
    LineSample("SELECT id", None),
    LineSample("FROM orders;", None),
    LineSample("# Time: 2025-11-22T12:00:01.250000Z", {"time": 1763812801.25, "user": "shop", "duration_ms": 500.0}),
    LineSample("# User@Host: shop[shop] @  [10.0.0.4]  Id:   413", None),
    LineSample("# Query_time: 0.500000  Lock_time: 0.000002 Rows_sent: 1  Rows_examined: 7", None),
    LineSample("SET timestamp=1763812801;", None),
    LineSample("# administrator command: Ping;", None),
)  # fmt: skip

NEAR_MISSES = (
    "# Time flies",
    "# Query_time: soon",
    "SET timestamp=now();",
    "# a comment of a shell script",
)
