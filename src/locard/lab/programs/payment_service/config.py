"""The settings of one deployment: `service.json` in the working directory, and when it changes."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Provider:
    """Where one provider answers, and whether over TLS."""

    name: str
    host: str
    port: int
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint: what it uses, and which providers it is sent to with which weight."""

    method: str
    template: str
    uses: tuple[str, ...]
    providers: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the service needs to know about its surroundings. Times in seconds."""

    workers: int
    threads: int
    timeout_s: float
    blocking_sockets: bool
    log_route: bool
    log_changes: bool
    not_found_share: float
    providers: dict[str, Provider]
    routes: tuple[Route, ...]
    store_socket: str
    flags_file: str
    state_dir: str
    ca_file: str | None


def load(path: str = "service.json") -> Config:
    """The configuration of this deployment; raises OSError or ValueError if there is none."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    return Config(
        workers=data["workers"],
        threads=data["threads"],
        timeout_s=data["timeout_s"],
        blocking_sockets=data["blocking_sockets"],
        log_route=data["log_route"],
        log_changes=data["log_changes"],
        not_found_share=data["not_found_share"],
        providers={p["name"]: Provider(**p) for p in data["providers"]},
        routes=tuple(
            Route(
                r["method"],
                r["template"],
                tuple(r["uses"]),
                tuple((n, w) for n, w in r["providers"]),
            )
            for r in data["routes"]
        ),
        store_socket=data["store_socket"],
        flags_file=data["flags_file"],
        state_dir=data["state_dir"],
        ca_file=data["ca_file"],
    )


class Watch:
    """Calls back with the old and the new settings whenever the file holds others.

    A file that cannot be read changes nothing.
    """

    def __init__(
        self, config: Config, changed: Callable[[Config, Config], None], path: str = "service.json"
    ) -> None:
        """Begin to watch from a background thread."""
        self._config, self._changed, self._path = config, changed, path
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, name="config", daemon=True).start()

    def _watch(self) -> None:
        stamp = 0
        while not self._stopped.wait(_POLL_S):
            try:
                now = Path(self._path).stat().st_mtime_ns
                if now == stamp:
                    continue
                stamp, new = now, load(self._path)
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if new != self._config:
                old, self._config = self._config, new
                self._changed(old, new)


def differences(old: Config, new: Config) -> Iterator[str]:
    """What differs, as `timeout_s 2.0 -> 2.5`."""
    for item in fields(Config):
        before, after = getattr(old, item.name), getattr(new, item.name)
        if before == after:
            continue
        if item.name == "providers":
            for name in before.keys() & after.keys():
                for part in ("host", "port", "tls"):
                    was, is_ = getattr(before[name], part), getattr(after[name], part)
                    if was != is_:
                        yield f"{name}.{part} {was} -> {is_}"
        elif not isinstance(after, tuple):
            yield f"{item.name} {before} -> {after}"
