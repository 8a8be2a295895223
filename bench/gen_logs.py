"""Writes a log for the benchmarks: `bench/gen_logs.py OUT MEGABYTES [SEED] [KIND]`.

A service under steady traffic whose one upstream begins to fail, for one region, in the second
half. The same seed gives the same bytes. KIND is `flat` (one JSON object a line, scalars only; one
line in 200 is a line of a stack trace), `nested` (objects in objects, spaces after colons and commas,
nulls, a list, keys that come in another order in one record of five, a number that is sometimes
text; one line in 1,000 is junk) or `text` (as a Java service writes it).
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sys
from pathlib import Path
from typing import NamedTuple

ROUTES = (
    "/orders/{}",
    "/orders/{}/items",
    "/users/{}/cart",
    "/search?q={}",
    "/checkout/{}/confirm",
)
UPSTREAMS = ("ledger", "cards", "stock", "prices", "mail", "sessions", "geo", "cdn")
REGIONS = ("eu-west", "us-east", "us-west", "ap-south")
SEGMENTS = ("free", "free", "free", "plus", "trial", "company")
SERVICES = ("gateway", "orders", "payments", "catalogue", "search")
BEGIN = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOURS = 2.0
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
KINDS = {"flat": 480, "nested": 640, "text": 150}  # bytes a line, for the spacing of the times
JUNK = (
    "panic: runtime error: invalid memory address",
    '{"time": "2026-03-01T12:00:00.000Z", "level": "error", "http": {"meth',
    "\tat com.example.Client.call(Client.java:11)",
    "",
)


class Drawn(NamedTuple):
    """One request."""

    at: dt.datetime
    upstream: str
    region: str
    fails: bool
    status: int
    took_ms: float
    path: str
    service: str

    @property
    def said(self) -> str:
        """The message."""
        if self.fails:
            return f"{self.upstream} timed out after {self.took_ms:.0f} ms"
        return f"served {self.path} in {self.took_ms:.1f} ms"

    @property
    def time(self) -> str:
        """In ISO 8601."""
        return f"{self.at:%Y-%m-%dT%H:%M:%S}.{self.at.microsecond // 1000:03d}Z"


def request(draw: random.Random, at: dt.datetime, late: bool) -> Drawn:
    """The next request."""
    upstream, region = draw.choice(UPSTREAMS), draw.choice(REGIONS)
    fails = draw.random() < (0.4 if late and upstream == "cards" and region == "eu-west" else 0.004)
    status = draw.choice((502, 503, 504)) if fails else 200
    took = draw.lognormvariate(3.3, 0.8) * (10 if fails else 1)
    path = draw.choice(ROUTES).format(draw.randrange(2_000_000))
    return Drawn(at, upstream, region, fails, status, took, path, draw.choice(SERVICES))


def flat(draw: random.Random, at: dt.datetime, late: bool) -> str:
    """One record, or text that is none."""
    if draw.random() < 0.005:
        return f"\tat com.example.Client.call(Client.java:{draw.randrange(900)})"
    r = request(draw, at, late)
    return (
        f'{{"time":"{r.time}",'
        f'"level":"{"error" if r.fails else "info"}","service":"{r.service}",'
        f'"pod":"{r.service}-{draw.randrange(8)}","region":"{r.region}",'
        f'"version":"2.14.{draw.randrange(3)}","method":"{draw.choice(("GET", "GET", "POST"))}",'
        f'"path":"{r.path}","status":{r.status},"duration_ms":{r.took_ms:.2f},'
        f'"bytes":{draw.randrange(80, 60_000)},"upstream":"{r.upstream}",'
        f'"segment":"{draw.choice(SEGMENTS)}","user_id":"u_{draw.randrange(500_000)}",'
        f'"trace_id":"{draw.getrandbits(128):032x}","thread":"http-{draw.randrange(200)}",'
        f'"agent":"{AGENT}","message":"{r.said}"}}'
    )


def nested(draw: random.Random, at: dt.datetime, late: bool) -> str:
    """One record as many loggers write it today, or junk."""
    if draw.random() < 0.001:
        return draw.choice(JUNK)
    r = request(draw, at, late)
    number = draw.randrange(80, 60_000)
    record: dict[str, object] = {
        "time": r.time,
        "level": "error" if r.fails else "info",
        "message": r.said,
        "service": {"name": r.service, "version": f"2.14.{draw.randrange(3)}", "labels": {"tier": "web"}},
        "kubernetes": {"pod": f"{r.service}-{draw.randrange(8)}", "region": r.region, "node": None},
        "http": {
            "method": draw.choice(("GET", "GET", "POST")),
            "path": r.path,
            "status": r.status,
            "duration_ms": round(r.took_ms, 2),
            "bytes": number if draw.random() < 0.99 else f"{number}",
            "agent": AGENT,
        },
        "upstream": r.upstream,
        "user": {"id": f"u_{draw.randrange(500_000)}", "segment": draw.choice(SEGMENTS)} if draw.random() < 0.9 else None,
        "trace_id": f"{draw.getrandbits(128):032x}",
        "tags": ["web", r.region],
    }  # fmt: skip
    if draw.random() < 0.2:
        record = dict(sorted(record.items()))
    return json.dumps(record)


def text(draw: random.Random, at: dt.datetime, late: bool) -> str:
    """One line of a Java service."""
    r = request(draw, at, late)
    time = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d}"
    level, name = ("ERROR" if r.fails else "INFO "), r.upstream.capitalize()
    return f"{time} {level} [http-{draw.randrange(200)}] com.example.{name}Client - {r.said}"


def write(path: Path, size: int, seed: int = 1, *, kind: str = "flat", block: int = 10_000) -> None:
    """Write about `size` bytes, so many lines at a time."""
    draw = random.Random(seed)
    written = 0
    line = {"flat": flat, "nested": nested, "text": text}[kind]
    step = dt.timedelta(hours=HOURS * KINDS[kind] / size)
    at = BEGIN
    with path.open("wb") as file:
        while written < size:
            late = written > size * 0.55
            lines = []
            for _ in range(block):
                at += step
                lines.append(line(draw, at, late))
            written += file.write(("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    _, out, megabytes, *more = [*sys.argv]
    write(
        Path(out),
        int(float(megabytes) * 1e6),
        int(more[0]) if more else 1,
        kind=(more[1:] or ["flat"])[0],
    )
