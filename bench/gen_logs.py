"""Writes a log of JSON lines for the benchmarks: `bench/gen_logs.py OUT MEGABYTES [SEED]`.

A service under steady traffic whose one upstream begins to fail, for one region, in the second
half; one line in 200 is no JSON. The same seed gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import random
import sys
from pathlib import Path

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
TYPICAL = 480  # bytes a line, for the spacing of the times
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


def line(draw: random.Random, at: dt.datetime, late: bool) -> str:
    """One record, or text that is none."""
    if draw.random() < 0.005:
        return f"\tat com.example.Client.call(Client.java:{draw.randrange(900)})"
    upstream, region = draw.choice(UPSTREAMS), draw.choice(REGIONS)
    fails = draw.random() < (0.4 if late and upstream == "cards" and region == "eu-west" else 0.004)
    status = draw.choice((502, 503, 504)) if fails else 200
    took = draw.lognormvariate(3.3, 0.8) * (10 if fails else 1)
    path = draw.choice(ROUTES).format(draw.randrange(2_000_000))
    service = draw.choice(SERVICES)
    said = (
        f"{upstream} timed out after {took:.0f} ms" if fails else f"served {path} in {took:.1f} ms"
    )
    return (
        f'{{"time":"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",'
        f'"level":"{"error" if fails else "info"}","service":"{service}",'
        f'"pod":"{service}-{draw.randrange(8)}","region":"{region}",'
        f'"version":"2.14.{draw.randrange(3)}","method":"{draw.choice(("GET", "GET", "POST"))}",'
        f'"path":"{path}","status":{status},"duration_ms":{took:.2f},'
        f'"bytes":{draw.randrange(80, 60_000)},"upstream":"{upstream}",'
        f'"segment":"{draw.choice(SEGMENTS)}","user_id":"u_{draw.randrange(500_000)}",'
        f'"trace_id":"{draw.getrandbits(128):032x}","thread":"http-{draw.randrange(200)}",'
        f'"agent":"{AGENT}","message":"{said}"}}'
    )


def write(path: Path, size: int, seed: int = 1) -> None:
    """Write about `size` bytes."""
    draw = random.Random(seed)
    written = 0
    step = dt.timedelta(hours=HOURS * TYPICAL / size)
    at = BEGIN
    with path.open("wb") as file:
        while written < size:
            late = written > size * 0.55
            block = []
            for _ in range(10_000):
                at += step
                block.append(line(draw, at, late))
            data = ("\n".join(block) + "\n").encode()
            written += file.write(data)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(float(sys.argv[2]) * 1e6), int((sys.argv[3:] or ["1"])[0]))
