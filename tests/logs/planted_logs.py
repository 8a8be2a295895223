"""Logs of a payment service with a planted incident, and the truth about it."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.logs.input.log_source import open_source
from locard.logs.judge import first_pass
from locard.logs.scan.loader import load

if TYPE_CHECKING:
    from pathlib import Path

    from locard.model.log_facts import LogSummary

START = 1_763_812_800.0  # 2025-11-22T12:00:00Z

SEGMENTS = {"free": 0.6, "plus": 0.3, "business": 0.1}
REGIONS = {"eu-west": 0.4, "us-east": 0.4, "ap-south": 0.2}
UPSTREAMS = {"card": 0.5, "bank": 0.3, "wallet": 0.2}
ROUTES = {"/pay/{}": 0.5, "/orders/{}/refund": 0.1, "/orders/{}": 0.3, "/health": 0.1}


@dataclass(frozen=True)
class Incident:
    """What goes wrong: from `onset_s` after the start to `end_s`, for requests that match."""

    onset_s: float
    end_s: float = math.inf
    affected: dict[str, str] = field(default_factory=dict)
    error_rate: float = 0.0
    slower: float = 1.0  # factor on the latency
    ramp_s: float = 0.0

    def strength(self, t: float, values: dict[str, str]) -> float:
        """How much of the harm a request at `t` with these values takes, 0 to 1."""
        if not self.onset_s <= t < self.end_s:
            return 0.0
        if any(values[k] != v for k, v in self.affected.items()):
            return 0.0
        return min(1.0, (t - self.onset_s) / self.ramp_s) if self.ramp_s else 1.0


def pick(rng: random.Random, weights: dict[str, float]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def lines(
    seed: int,
    *,
    seconds: float = 300.0,
    rate: float = 50.0,
    base_errors: float = 0.005,
    incident: Incident | None = None,
    wobble: float = 0.0,
) -> list[str]:
    """JSON lines in the order in which the requests end. `wobble` is slow noise of the latency."""
    rng = random.Random(seed)
    out = []
    t, drift, number = 0.0, 0.0, 0
    while True:
        step = rng.expovariate(rate)
        t += step
        if t >= seconds:
            break
        number += 1
        drift += -drift * step / 5 + wobble * math.sqrt(step) * rng.gauss(0, 1)
        values = {
            "segment": pick(rng, SEGMENTS),
            "region": pick(rng, REGIONS),
            "upstream": pick(rng, UPSTREAMS),
        }
        route = pick(rng, ROUTES)
        worker = rng.randrange(4)
        ms = 20.0 * math.exp(rng.gauss(0, 0.5) + drift)
        bad = rng.random() < base_errors
        part = incident.strength(t, values) if incident else 0.0
        if part:
            bad = bad or rng.random() < incident.error_rate * part
            ms *= 1 + (incident.slower - 1) * part
        record = {
            "level": "error" if bad else "info",
            "msg": f"payment {number} failed: upstream timeout" if bad else "request done",
            **values,
            "path": route.format(rng.randrange(10_000)),
            "status": 503 if bad else 200,
            "duration_ms": round(ms, 2),
            "trace_id": f"{rng.getrandbits(128):032x}",
            "worker": 3000 + worker,
        }
        out.append((t + ms / 1000, record))
    out.sort(key=lambda item: item[0])
    return [json.dumps({"time": START + end, **record}) for end, record in out if end < seconds]


def write(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def summarise(
    name: str, *, budget_s: float = 60.0, since_s: float | None = None, engine: str | None = None
) -> LogSummary:
    """The first pass over a file by a chosen engine, as `locard logs` makes it."""
    source = open_source(name)
    try:
        table = load(source, budget_s, 1, engine)
    finally:
        source.close()
    try:
        return first_pass.judge(name, table, since_s)
    finally:
        table.db.close()
