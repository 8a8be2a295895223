"""A settlement provider: answers every POST with a reference after its usual time.

With a certificate it serves TLS; a new one holds for new connections, and old ones are closed at
their next answer. Above `limit_per_s` calls a second it answers 503 at once.

The first line of standard input is its configuration (JSON), each later line replaces parts of it;
the end of standard input is the end of the process. It prints its port when it listens.
"""

from __future__ import annotations

import json
import math
import os
import random
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_pace: dict[str, Any] = {
    "median_ms": 20.0,
    "spread": 0.3,
    "failures": 0.0,
    "tiers": [],
    "limit_per_s": None,
    "certificate": None,
}
_draws = random.Random()  # noqa: S311 - latencies, no secrets


class _Quota:
    """A token bucket that holds the calls of half a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left, self._at = 0.0, 0.0

    def take(self, per_s: float | None) -> bool:
        with self._lock:
            now = time.monotonic()
            if per_s is None:
                self._left, self._at = 0.0, now
                return True
            self._left = min(per_s / 2, self._left + (now - self._at) * per_s)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


_quota = _Quota()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment for headers and body

    def setup(self) -> None:
        """Remember with which certificate the connection began."""
        super().setup()
        self._certificate = _pace["certificate"]

    def do_POST(self) -> None:
        """Read the body, take the usual time, answer."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        status = 503
        if _quota.take(_pace["limit_per_s"]):
            pace = _pace_for(self.headers)
            time.sleep(float(pace["median_ms"]) / 1000 * math.exp(_draws.gauss(0, pace["spread"])))
            status = 500 if _draws.random() < pace["failures"] else 200
        payload = json.dumps({"reference": os.urandom(6).hex()}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        if self._certificate != _pace["certificate"]:
            self.send_header("connection", "close")
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


def _pace_for(headers: Any) -> dict[str, Any]:
    """The provider's own pace, or what the first tier whose headers all match makes of it."""
    for tier in _pace["tiers"]:
        if all(headers.get(name) == value for name, value in tier["headers"].items()):
            return {**_pace, **tier}
    return _pace


def main() -> None:
    """Serve until standard input ends."""
    _pace.update(json.loads(sys.stdin.readline()))
    server = _Server(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if _pace["certificate"]:
        context.load_cert_chain(_pace["certificate"])
        # The handshake is left to the thread of the connection: it may take a while.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
    print(server.server_address[1], flush=True)
    for line in sys.stdin:
        settings = json.loads(line)
        if "certificate" in settings:
            context.load_cert_chain(settings["certificate"])
        _pace.update(settings)


if __name__ == "__main__":
    main()
