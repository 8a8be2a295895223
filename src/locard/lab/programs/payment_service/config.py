"""The settings of one deployment, read once from `service.json` in the working directory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Provider:
    """Where one provider answers."""

    name: str
    host: str
    port: int


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
    not_found_share: float
    providers: dict[str, Provider]
    routes: tuple[Route, ...]
    store_socket: str
    flags_file: str
    state_dir: str


def load(path: str = "service.json") -> Config:
    """The configuration of this deployment; raises OSError or ValueError if there is none."""
    data = json.loads(Path(path).read_text(encoding="utf-8"))
    return Config(
        workers=data["workers"],
        threads=data["threads"],
        timeout_s=data["timeout_s"],
        blocking_sockets=data["blocking_sockets"],
        log_route=data["log_route"],
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
    )
