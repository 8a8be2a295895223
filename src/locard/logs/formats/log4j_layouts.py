"""Layouts of Kafka, ZooKeeper, Elasticsearch, Cassandra and Celery, which their own files set up.

Source: the logging configurations that these programs, Airflow and Celery ship.
"""

from __future__ import annotations

from locard.logs.lines.line_format import ISO, LineSample, TextFormat

_LEVEL = r"(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|CRITICAL|FATAL)"

TEXT = (
    TextFormat(rf"\[(?P<time>{ISO})\] +{_LEVEL} +(?P<message>.*) \((?P<logger>[\w.$]+)\)", rank=60),
    TextFormat(
        rf"(?P<time>{ISO}) (?:\[myid:(?P<instance>\d*)\] )?- {_LEVEL} +\[(?P<thread>[^\]]*)\] - (?P<message>.*)",
        rank=60,
    ),
    TextFormat(
        rf"\[(?P<time>{ISO})\]\[{_LEVEL} *\]\[(?P<logger>[\w.$-]+) *\] ?(?:\[(?P<node>[^\]]+)\] ?)?(?P<message>.*)",
        rank=60,
    ),
    TextFormat(
        rf"{_LEVEL} +\[(?P<thread>[^\]]+)\] (?P<time>{ISO}) (?P<source>[\w.$]+:\d+) - (?P<message>.*)",
        rank=60,
    ),
    TextFormat(
        rf"\[(?P<time>{ISO}): {_LEVEL}/(?P<process>[\w-]+)\] (?P<message>(?:Task (?P<task>[\w.]+)"
        r"\[(?P<task_id>[0-9a-f-]+)\] .*? in (?P<duration_s>[\d.]+)s.*|.*))",
        rank=60,
    ),
    TextFormat(
        rf"\[(?P<time>{ISO})\] \{{(?P<source>[\w.]+:\d+)\}} {_LEVEL} - (?P<message>.*)", rank=60
    ),
)

SAMPLES = (
    LineSample(
        "[2025-11-22 12:00:00,250] ERROR [ReplicaManager broker=1] Error processing append (kafka.server.ReplicaManager)",
        {"time": 1763812800.25, "level": "error", "logger": "kafka.server.ReplicaManager",
         "message": "[ReplicaManager broker=1] Error processing append"},
    ),
    LineSample(
        "2025-11-22 12:00:01,000 [myid:2] - WARN  [NIOServerCxn.Factory:0.0.0.0/0.0.0.0:2181:NIOServerCnxn@349] - end of stream",
        {"level": "warn", "instance": "2", "message": "end of stream"},
    ),
    LineSample(
        "[2025-11-22T12:00:02,500][INFO ][o.e.c.r.a.AllocationService] [node-1] Cluster health status changed",
        {"time": 1763812802.5, "level": "info", "node": "node-1", "message": "Cluster health status changed"},
    ),
    LineSample(
        "ERROR [ReadStage-1] 2025-11-22 12:00:03,000 CassandraDaemon.java:200 - Exception in thread",
        {"time": 1763812803.0, "level": "error", "thread": "ReadStage-1", "message": "Exception in thread"},
    ),
    LineSample(
        "[2025-11-22 12:00:04,000: INFO/ForkPoolWorker-1] Task shop.charge[0ddc0ffe-1111] succeeded in 0.25s: None",
        {"level": "info", "process": "ForkPoolWorker-1", "task": "shop.charge", "duration_ms": 250.0},
    ),
    LineSample(
        "[2025-11-22 12:00:05,000] {taskinstance.py:1150} ERROR - Task failed with exception",
        {"level": "error", "source": "taskinstance.py:1150", "message": "Task failed with exception"},
    ),
)  # fmt: skip
