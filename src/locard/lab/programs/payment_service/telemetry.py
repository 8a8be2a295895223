"""Metrics (prometheus_client, multi-process) and log lines (JSON on standard output)."""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter, Gauge, Histogram

if TYPE_CHECKING:
    from .config import Provider

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0)

REQUESTS = Counter("http_requests", "Requests answered.", ("method", "route", "status"))
REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds", "Time to answer.", ("method", "route"), buckets=_BUCKETS
)
CALLS = Counter(
    "http_client_requests", "Calls to providers.", ("server_address", "server_port", "status")
)
CALL_SECONDS = Histogram(
    "http_client_request_duration_seconds",
    "Time that providers took.",
    ("server_address", "server_port"),
    buckets=_BUCKETS,
)
ACTIVE = Gauge("http_server_active_requests", "In work.", multiprocess_mode="livesum")


def _per_process(name: str, documentation: str) -> Gauge:
    # In multi-process mode the library's own process collector is off; these take its names.
    return Gauge(name, documentation, multiprocess_mode="liveall", registry=None)


_OPEN_FDS = _per_process("process_open_fds", "Number of open file descriptors.")
_MAX_FDS = _per_process("process_max_fds", "Maximum number of open file descriptors.")
_THREADS = _per_process("process_threads", "Number of threads.")
_RESIDENT = _per_process("process_resident_memory_bytes", "Resident memory size in bytes.")
_CPU = _per_process("process_cpu_seconds_total", "User and system CPU time in seconds.")

_log = logging.getLogger("payment-service")


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request."""
    REQUESTS.labels(method, route, str(status)).inc()
    REQUEST_SECONDS.labels(method, route).observe(seconds)


def observe_call(provider: Provider, status: str, seconds: float) -> None:
    """Count one call to a provider."""
    CALLS.labels(provider.name, provider.port, status).inc()
    CALL_SECONDS.labels(provider.name, provider.port).observe(seconds)


def log(level: int, message: str, **fields: Any) -> None:
    """Write one line."""
    _log.log(level, message, extra={"fields": fields})


def start(interval_s: float = 10.0) -> None:
    """Set the logger up and report on this process from a background thread."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLines())
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False
    threading.Thread(target=_report, args=(interval_s,), name="stats", daemon=True).start()


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
            "level": record.levelname.lower(),
            "service": "payment-service",
            "pid": record.process,
            "message": record.getMessage(),
            **record.__dict__.get("fields", {}),
        }
        return json.dumps(line, separators=(",", ":"), ensure_ascii=False)


def _report(interval_s: float) -> None:
    rounds = 0
    every = max(1, round(interval_s / 2))
    _MAX_FDS.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    while True:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        open_fds = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names only, no objects
        _OPEN_FDS.set(open_fds)
        _THREADS.set(threading.active_count())
        _RESIDENT.set(pages * resource.getpagesize())
        _CPU.set(usage.ru_utime + usage.ru_stime)
        if rounds % every == 0:
            log(logging.INFO, "worker stats", threads=threading.active_count(), open_fds=open_fds)
        rounds += 1
        time.sleep(2)
