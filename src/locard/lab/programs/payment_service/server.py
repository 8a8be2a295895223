"""gunicorn's settings: `gunicorn -c python:payment_service.server payment_service.app:application`."""

from __future__ import annotations

import ctypes
import json
import os
import signal
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from .config import load

_config = load()
_STATE = Path(_config.state_dir)
_PR_SET_PDEATHSIG = 1

bind = "127.0.0.1:0"
worker_class = "gthread"
workers = _config.workers
threads = _config.threads
worker_connections = threads + 2  # a worker that is full leaves new connections to the others
keepalive = 0  # clients come through a balancer that opens a connection for each request
graceful_timeout = 2
control_socket_disable = True

_exporter: Any = None


def when_ready(server: Any) -> None:
    """Serve /metrics for all workers from the master and publish both addresses."""
    global _exporter
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    _exporter, _ = start_http_server(0, "127.0.0.1", registry)
    host, port = server.LISTENERS[0].sock.getsockname()[:2]
    published = _STATE / f"address-{os.getpid()}.new"
    published.write_text(
        json.dumps({"http": [host, port], "metrics": [host, _exporter.server_port]})
    )
    published.rename(published.with_suffix(".json"))


def post_fork(server: Any, worker: Any) -> None:
    """A worker ends with its master, and does not keep the master's exporter port."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server.pid:
        os._exit(0)
    if _exporter is not None:
        _exporter.socket.close()
    server.log.debug("worker %s is set up", worker.pid)


def post_worker_init(worker: Any) -> None:
    """Say that this worker takes requests."""
    (_STATE / f"worker-{worker.pid}").touch()


def child_exit(_server: Any, worker: Any) -> None:
    """Drop the live gauges of a worker that ended."""
    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
