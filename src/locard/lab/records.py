"""What the clients saw: the load generator's records, and what of them a target lost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Request:
    """One request as its client saw it. Times are Unix seconds; status 0 means no answer."""

    due: float
    started: float
    done: float
    status: int
    path: str
    upstream: str
    headers: dict[str, str]
    attempts: int = 1

    @property
    def latency_ms(self) -> float:
        """From the moment at which it was due, so that a slow service is not spared."""
        return (self.done - self.due) * 1000

    @property
    def failed(self) -> bool:
        """No answer, or one that says the service failed."""
        return self.status == 0 or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Seen:
    """A number of requests summed up. Quantiles are None without requests."""

    requests: int
    error_share: float | None
    p50_ms: float | None
    p99_ms: float | None


def read(path: Path) -> tuple[Request, ...]:
    """All complete records; the last line may still be being written."""
    requests = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        data = json.loads(line)
        times = (data.pop("due"), data.pop("started"), data.pop("done"))
        status, path_, via = data.pop("status"), data.pop("path"), data.pop("via")
        attempts = data.pop("attempts")
        requests.append(Request(*times, status, path_, via, data, attempts))
    return tuple(requests)


def seen(
    requests: Iterable[Request],
    start: float,
    end: float,
    where: Callable[[Request], bool] = lambda _: True,
) -> Seen:
    """The requests that were due in [start, end) and fit `where`."""
    chosen = [r for r in requests if start <= r.due < end and where(r)]
    if not chosen:
        return Seen(0, None, None, None)
    latencies = sorted(r.latency_ms for r in chosen)

    def quantile(q: float) -> float:
        return round(latencies[min(len(latencies) - 1, int(q * len(latencies)))], 1)

    errors = sum(r.failed for r in chosen) / len(chosen)
    return Seen(len(chosen), round(errors, 4), quantile(0.5), quantile(0.99))
