"""The node's store agent: takes entries over a Unix socket, acknowledges each after its write.

Configured like the providers: JSON lines on standard input, whose end is the end of the process.
"""

from __future__ import annotations

import json
import os
import socketserver
import sys
import threading
import time
from typing import Any

_settings: dict[str, Any] = {"socket": "", "write_ms": 20.0}


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        """One entry a line; every connection has its own thread, so none waits for another."""
        for line in self.rfile:
            entry = json.loads(line)
            time.sleep(float(_settings["write_ms"]) / 1000)
            receipt = {"receipt": os.urandom(6).hex(), "key": entry["key"]}
            self.wfile.write(json.dumps(receipt).encode() + b"\n")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def handle_error(self, *_args: Any) -> None:
        """A client that hangs up is no event."""


def main() -> None:
    """Serve until standard input ends."""
    _settings.update(json.loads(sys.stdin.readline()))
    server = _Server(str(_settings["socket"]), _Handler)
    threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
    print(_settings["socket"], flush=True)
    for line in sys.stdin:
        _settings.update(json.loads(line))


if __name__ == "__main__":
    main()
