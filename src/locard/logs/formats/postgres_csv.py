"""PostgreSQL's csvlog: a table without names, whose columns grew with the versions.

Source: PostgreSQL's manual, 20.8.4 Using CSV-Format Log Output; 13 added backend_type, 14 the last two.
"""

from __future__ import annotations

from locard.logs.lines.line_format import Delimited, LineSample

DELIMITED = (
    Delimited(
        row=r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ [^,"]{1,40},(?:"(?:[^"]|"")*"|[^,"]*),(?:"(?:[^"]|"")*"|[^,"]*),\d*,',
        columns=(
            "time", "user", "database", "process_id", "connection_from", "session_id", "session_line_num",
            "command_tag", "session_start_time", "virtual_transaction_id", "transaction_id", "level",
            "sql_state_code", "message", "detail", "hint", "internal_query", "internal_query_pos", "context",
            "query", "query_pos", "location", "application_name", "backend_type", "leader_pid", "query_id",
        ),
    ),
)  # fmt: skip

SAMPLES = (
    LineSample(
        '2025-11-22 12:00:00.250 UTC,"app","shop",445,"10.0.0.2:50515",60f6920d.137c,1,"SELECT",'
        '2025-11-22 11:55:00 UTC,9/1,0,ERROR,42P01,"relation ""orders"" does not exist",,,,,,'
        '"select * from orders",15,,"psql","client backend",,0',
        {"time": 1763812800.25, "level": "error", "database": "shop", "user": "app",
         "message": 'relation "orders" does not exist', "query": "select * from orders"},
    ),
    LineSample(
        '2025-11-22 12:00:01.500 UTC,,,17,,60f6920d.11,2,,2025-11-22 09:00:00 UTC,,0,LOG,00000,'
        '"checkpoint starting: time",,,,,,,,,"","checkpointer",,0',
        {"time": 1763812801.5, "level": "log", "database": None, "message": "checkpoint starting: time"},
    ),
    LineSample(
        '2025-11-22 12:00:02.000 UTC,"app","shop",445,"10.0.0.2:50515",60f6920d.137c,3,"COMMIT",'
        '2025-11-22 11:55:00 UTC,9/1,0,FATAL,57P01,"terminating connection, ""now""",,,,,,,,,"psql","client backend",,0',
        {"time": 1763812802.0, "level": "fatal", "message": 'terminating connection, "now"'},
    ),
)  # fmt: skip
