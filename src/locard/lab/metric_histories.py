"""Hours of metrics with a planted change, or with none: what a Prometheus holds of one service.

One seed, one history. `write` gives OpenMetrics text, of which promtool makes the blocks that a real
Prometheus serves; `bench/metrics.py` and the tests play the same ones.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STEP_S = 15
_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(frozen=True, slots=True)
class Planted:
    """What is true of a history: `onset` (Unix seconds) is None where nothing changed.

    `signal` is which golden signal changed, `shape` how, `family` and `labels` where it comes from, `rule` the
    rule that has to find it; none where there is none to be found.
    """

    onset: float | None = None
    signal: str = ""
    shape: str = ""
    family: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    rule: str = ""


@dataclass(slots=True)
class Book:
    """The series so far; `length` samples, the last one at `end` (Unix seconds)."""

    end: int
    hours: float
    rnd: random.Random
    rows: list[tuple[str, str, dict[str, str], list[float | None]]] = field(default_factory=list)
    planted: Planted = Planted()

    @property
    def length(self) -> int:
        """How many samples each series has."""
        return int(self.hours * 3600) // STEP_S + 1

    def time(self, slot: int) -> int:
        """The time of a sample, Unix seconds."""
        return self.end - (self.length - 1 - slot) * STEP_S

    def slot(self, before_end_s: float) -> int:
        """The first sample at or after so many seconds before the end."""
        return self.length - 1 - int(before_end_s) // STEP_S

    def gauge(
        self, name: str, labels: dict[str, str], value: Callable[[int], float | None]
    ) -> None:
        """A level at each sample; None leaves it out."""
        self.rows.append((name, "gauge", labels, [value(i) for i in range(self.length)]))

    def counter(
        self, name: str, labels: dict[str, str], grows: Callable[[int], float], start: float = 0.0
    ) -> None:
        """A counter by what it grows at each sample; its name ends in _total."""
        total, values = start, list[float | None]()
        for i in range(self.length):
            total += grows(i)
            values.append(round(total, 6))
        self.rows.append((name, "counter", labels, values))

    def poisson(self, mean: float) -> int:
        """A small count with the spread of real traffic."""
        return max(0, round(self.rnd.gauss(mean, math.sqrt(max(mean, 1e-9)))))

    def service(
        self,
        *,
        failing: Callable[[int], float],
        rate: Callable[[int], float],
        slow: Callable[[int], float],
        instances: int = 3,
    ) -> None:
        """Requests, their failures and durations. `failing` and `slow` are shares, `rate` requests a second of each instance."""
        for n in range(instances):
            of = {"job": "shop", "instance": f"shop-{n}:8000", "route": "/buy"}
            counts = [self.poisson(rate(i) * STEP_S) for i in range(self.length)]
            failed = [min(c, self.poisson(c * failing(i))) for i, c in enumerate(counts)]
            went_well = [c - f for c, f in zip(counts, failed, strict=True)]
            self.counter("http_requests_total", {**of, "code": "200"}, went_well.__getitem__, 9e4)
            self.counter("http_requests_total", {**of, "code": "500"}, failed.__getitem__, 40)
            self._durations(of, counts, slow)

    def _durations(
        self, of: dict[str, str], counts: list[int], slow: Callable[[int], float]
    ) -> None:
        cumulative, total, spent = [0] * len(_BOUNDS), 0, 0.0
        rows: list[list[float | None]] = [[] for _ in _BOUNDS]
        sums, totals = list[float | None](), list[float | None]()
        for i, count in enumerate(counts):
            late = min(count, self.poisson(count * slow(i)))
            quick = count - late
            shares = (0.55, 0.9, 0.985, 0.997, 1.0, 1.0)
            for b, share in enumerate(shares):
                cumulative[b] += self.poisson(quick * share) if share < 1 else quick
            cumulative[-1] += late  # between 1 and 2.5 s
            cumulative = [max(cumulative[: b + 1]) for b in range(len(_BOUNDS))]
            total += count
            cumulative = [min(c, total) for c in cumulative]
            spent += quick * 0.06 + late * 1.6
            for b, value in enumerate(cumulative):
                rows[b].append(value)
            sums.append(round(spent, 4))
            totals.append(total)
        name = "http_request_duration_seconds"
        for b, bound in enumerate(_BOUNDS):
            self.rows.append((f"{name}_bucket", "histogram", {**of, "le": f"{bound:g}"}, rows[b]))
        self.rows.append((f"{name}_bucket", "histogram", {**of, "le": "+Inf"}, totals))
        self.rows.append((f"{name}_sum", "histogram", of, sums))
        self.rows.append((f"{name}_count", "histogram", of, totals))

    def background(self, count: int = 12) -> None:
        """Other series that mean nothing here: levels that wander, rhythms, counters, heavy tails."""
        for n in range(count):
            of = {"job": "shop", "instance": f"shop-{n % 3}:8000", "part": f"p{n}"}
            level, period, rnd = self.rnd.uniform(5, 500), self.rnd.uniform(20, 90), self.rnd
            kinds = (self._wandering, self._rhythm, self._tail)
            if n % 4 == 3:  # noqa: PLR2004 - of four kinds
                self.counter("jobs_total", of, partial(_steady, self, level / 10))
            else:
                values = kinds[n % 4](level, period, rnd)
                self.gauge(
                    ("cache_entries", "work_level", "batch_size")[n % 4], of, values.__getitem__
                )

    def _wandering(self, level: float, _: float, rnd: random.Random) -> list[float]:
        walk = [0.0]
        for _i in range(self.length):
            walk.append(0.97 * walk[-1] + rnd.gauss(0, 1))
        return [round(level * (1 + 0.05 * w), 3) for w in walk]

    def _rhythm(self, level: float, period: float, rnd: random.Random) -> list[float]:
        return [
            round(level * (1 + 0.3 * math.sin(i / period * 6.28)) + rnd.gauss(0, level / 50), 3)
            for i in range(self.length)
        ]

    def _tail(self, level: float, _: float, rnd: random.Random) -> list[float]:
        return [round(level * rnd.lognormvariate(0, 0.6), 2) for _i in range(self.length)]

    def write(self, path: Path) -> None:
        """OpenMetrics text, grouped by family, as promtool wants it."""
        families: dict[str, tuple[str, list[str]]] = {}
        for name, kind, labels, values in self.rows:
            family = name
            if kind == "counter":
                family = name.removesuffix("_total")
            elif kind == "histogram":
                family = name.rsplit("_", 1)[0]
            lines = families.setdefault(family, (kind, []))[1]
            pairs = ",".join(f'{key}="{value}"' for key, value in labels.items())
            head = f"{name}{{{pairs}}}" if pairs else name
            lines += [
                f"{head} {v!r} {self.time(i)}\n" for i, v in enumerate(values) if v is not None
            ]
        with path.open("w", encoding="utf-8") as file:
            for family, (kind, lines) in families.items():
                file.write(f"# TYPE {family} {kind}\n")
                file.writelines(lines)
            file.write("# EOF\n")


def _steady(book: Book, mean: float, _: int) -> float:
    return book.poisson(mean)


def _book(seed: int, end: int, hours: float) -> Book:
    return Book(end // STEP_S * STEP_S, hours, random.Random(seed))  # noqa: S311 - a world, no secret


def metrics_only(seed: int, end: int) -> Book:
    """Errors rise in one step, and nothing but the metrics tells of it."""
    book = _book(seed, end, 2.5)
    at, share = book.slot(book.rnd.uniform(600, 1500)), book.rnd.uniform(0.03, 0.3)
    base = book.rnd.uniform(0.001, 0.01)
    book.service(
        failing=lambda i: share if i >= at else base, rate=lambda _: 8.0, slow=lambda _: 0.004
    )
    book.background()
    book.planted = Planted(
        book.time(at), "errors", "step", "http_requests", (("code", "500"),), "service-degraded"
    )
    return book


def ramp(seed: int, end: int) -> Book:
    """The memory of one instance grows steadily towards its limit; nobody is hurt yet."""
    book = _book(seed, end, 2.5)
    at, limit = book.slot(book.rnd.uniform(2400, 3300)), 2.0 * 2**30
    level = book.rnd.uniform(0.3, 0.45) * limit
    slope = (book.rnd.uniform(0.85, 0.97) * limit - level) / (book.length - at)
    book.service(failing=lambda _: 0.002, rate=lambda _: 8.0, slow=lambda _: 0.004)
    for n in range(3):
        of = {"namespace": "shop", "pod": f"shop-{n}", "container": "shop"}
        grows = slope if n == 1 else 0.0
        held = [
            round(level + grows * max(0, i - at) + book.rnd.gauss(0, level / 200))
            for i in range(book.length)
        ]
        book.gauge("container_memory_rss", of, held.__getitem__)
        book.gauge("container_spec_memory_limit_bytes", of, lambda _: limit)
    book.background()
    book.planted = Planted(
        book.time(at),
        "saturation",
        "ramp",
        "container_memory_rss",
        (("pod", "shop-1"),),
        "memory-leak",
    )
    return book


def periodic_fault(seed: int, end: int) -> Book:
    """Every few minutes half a minute of errors, since an onset: a job that locks what requests need."""
    book = _book(seed, end, 2.5)
    at, every = book.slot(book.rnd.uniform(2000, 2600)), book.rnd.choice((12, 16, 20))
    hot = book.rnd.uniform(0.25, 0.5)
    book.service(
        failing=lambda i: hot if i >= at and (i - at) % every < 2 else 0.003,  # noqa: PLR2004 - samples
        rate=lambda _: 8.0, slow=lambda _: 0.004,
    )  # fmt: skip
    book.background()
    book.planted = Planted(
        book.time(at), "errors", "periodic", "http_requests", (("code", "500"),), "service-degraded"
    )
    return book


def daily_rhythm(seed: int, end: int) -> Book:
    """Traffic rises as it does each day at this time; the shares of errors and slow requests stay."""
    book = _book(seed, end, 26.5)
    day, phase = 86400 / STEP_S, book.rnd.uniform(0, 1)
    rises = book.slot(book.rnd.uniform(900, 1500))

    def load(i: int) -> float:
        # Each day at the same time people come to work: within a quarter of an hour it doubles.
        since = (i - rises) % day
        return (
            8.0 + 8.0 * min(1.0, since / 60) * (since < day / 3) + math.sin(i / day * 6.28 + phase)
        )

    book.service(failing=lambda _: 0.004, rate=load, slow=lambda _: 0.004, instances=2)
    book.planted = Planted()
    return book


def alert_fired_late(seed: int, end: int) -> Book:
    """Errors step up; the alert over five minutes is pending later, and fires a quarter of an hour after that."""
    book = _book(seed, end, 3.0)
    at, late = book.slot(book.rnd.uniform(1800, 2700)), book.rnd.randint(10, 16)
    share = book.rnd.uniform(0.06, 0.2)
    book.service(
        failing=lambda i: share if i >= at else 0.003, rate=lambda _: 8.0, slow=lambda _: 0.004
    )
    alert, pending, fires = (
        {"alertname": "ShopErrors", "severity": "page"},
        at + late,
        at + late + 60,
    )
    book.gauge(
        "ALERTS",
        {**alert, "alertstate": "pending"},
        lambda i: 1.0 if pending <= i < fires else None,
    )
    book.gauge("ALERTS", {**alert, "alertstate": "firing"}, lambda i: 1.0 if i >= fires else None)
    book.background()
    book.planted = Planted(
        book.time(at), "errors", "step", "http_requests", (("code", "500"),), "service-degraded"
    )
    return book


def healthy(seed: int, end: int) -> Book:
    """Nothing changes: errors and slow requests as ever, other series wander."""
    book = _book(seed, end, 2.5)
    rate = book.rnd.choice((0.2, 2.0, 20.0))
    book.service(failing=lambda _: 0.004, rate=lambda _: rate, slow=lambda _: 0.006)
    book.background(40)
    return book


HISTORIES: dict[str, Callable[[int, int], Book]] = {
    "metrics-only": metrics_only,
    "ramp": ramp,
    "periodic-fault": periodic_fault,
    "daily-rhythm": daily_rhythm,
    "alert-fired-late": alert_fired_late,
    "healthy": healthy,
}
