"""Feature flags from a file in flagd's format, read again when the file changes."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import Any

_POLL_S = 0.1


class Flags:
    """Boolean flags with a fractional target; a file that cannot be read keeps the last values."""

    def __init__(self, path: str) -> None:
        """Read the file once and keep watching it from a background thread."""
        self._path = Path(path)
        self._stamp = 0
        self._shares: dict[str, float] = {}
        self._refresh()
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, name="flags", daemon=True).start()

    def enabled(self, name: str) -> bool:
        """Whether the flag is on for this request."""
        return random.random() < self._shares.get(name, 0.0)  # noqa: S311 - no secret is drawn

    def _watch(self) -> None:
        while not self._stopped.wait(_POLL_S):
            self._refresh()

    def _refresh(self) -> None:
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp == self._stamp:
                return
            flags = json.loads(self._path.read_text(encoding="utf-8"))["flags"]
            self._shares = {name: _share(flag) for name, flag in flags.items()}
            self._stamp = stamp
        except (OSError, ValueError, KeyError, TypeError):
            return


def _share(flag: dict[str, Any]) -> float:
    if flag.get("state") != "ENABLED":
        return 0.0
    weights = dict(flag["targeting"]["fractional"])
    total = sum(weights.values())
    return weights.get("on", 0) / total if total else 0.0
