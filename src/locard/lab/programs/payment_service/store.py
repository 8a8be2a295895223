"""The connection to the node's store agent: one line out, one line back."""

from __future__ import annotations

import json
import socket


class StoreConnection:
    """One stream to the agent. Not safe for use by two threads at once."""

    def __init__(self, path: str) -> None:
        """Remember where the agent listens; the first exchange connects."""
        self._path = path
        self._socket: socket.socket | None = None

    def exchange(self, kind: str, key: str) -> str:
        """Send one entry and return the agent's receipt; raises OSError if the agent is gone."""
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.connect(self._path)
        self._socket.sendall(json.dumps({"kind": kind, "key": key}).encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n"):
            part = self._socket.recv(4096)
            if not part:
                self._socket.close()
                self._socket = None
                raise ConnectionError("the store agent closed the connection")
            reply += part
        return str(json.loads(reply)["receipt"])
