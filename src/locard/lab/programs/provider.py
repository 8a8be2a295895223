"""A settlement provider: answers every POST with a reference after its usual time.

The first line of standard input is its configuration (JSON), each later line replaces parts of it;
the end of standard input is the end of the process. It prints its port when it listens.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_pace: dict[str, Any] = {"median_ms": 20.0, "spread": 0.3, "failures": 0.0, "tiers": []}
_draws = random.Random()  # noqa: S311 - latencies, no secrets


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment for headers and body

    def do_POST(self) -> None:
        """Read the body, take the usual time, answer."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        time.sleep(_answer_time(self.headers))
        status = 500 if _draws.random() < _pace["failures"] else 200
        payload = json.dumps({"reference": os.urandom(6).hex()}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def handle(self) -> None:
        """Serve the connection until either side has enough."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def finish(self) -> None:
        """Close; the client may have gone first."""
        try:
            super().finish()
        except OSError:
            self.close_connection = True

    def log_message(self, *_args: Any) -> None:
        """Write no access log."""

    def log_error(self, *_args: Any) -> None:
        """Write no error log."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_args: Any) -> None:
        """A client that hangs up is no event."""


def _answer_time(headers: Any) -> float:
    """Seconds; the first tier whose headers all match, else the provider's own pace."""
    pace = _pace
    for tier in _pace["tiers"]:
        if all(headers.get(name) == value for name, value in tier["headers"].items()):
            pace = tier
            break
    return float(pace["median_ms"]) / 1000 * math.exp(_draws.gauss(0, pace["spread"]))


def main() -> None:
    """Serve until standard input ends."""
    _pace.update(json.loads(sys.stdin.readline()))
    server = _Server(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
    print(server.server_address[1], flush=True)
    for line in sys.stdin:
        _pace.update(json.loads(line))


if __name__ == "__main__":
    main()
