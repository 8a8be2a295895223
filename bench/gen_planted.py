"""Draws logs of JSON lines in which a set of one to three field=value pairs fails more often.

Values are zipfian; pods belong to a service, countries to a region; one field follows the cause
(a client that four in five of the affected use, one in ten of the others); paths have error rates of
their own; at the onset a new version is rolled out to everyone, which has nothing to do with it. The
error rates of the upstreams may wander, each in its own slow way. The same plan gives the same bytes.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

REQUESTS, SPAN_S = 20_000, 1200.0
BASE_RATE = 0.005
START = 1_763_812_800.0
# Field, prefix of its values, how many: P(value k) falls as 1 / (k + 1), the first is most frequent.
FIELDS = (
    ("service", "svc", 6), ("pod", "", 5), ("region", "", 4), ("country", "", 20), ("segment", "seg", 4),
    ("path", "/api/r", 12), ("upstream", "up", 7), ("browser", "browser", 8), ("app", "app", 9),
    ("shard", "shard", 16), ("tenant", "tenant", 2000), ("flag_cart", "v", 2), ("flag_search", "v", 3),
    ("protocol", "h", 3), ("cache", "tier", 3), ("queue", "q", 10), ("customer", "c", 1_000_000),
)  # fmt: skip
_FAMILIES = ({"service", "pod"}, {"region", "country"})
_MAY_FAIL = tuple(f for f, _, n in FIELDS if n < 100)
_LEAST_TRAFFIC = 0.01


@dataclass(frozen=True)
class Plan:
    """What is planted: `values` fail with `rate` from `onset_s` on; no values, everyone does."""

    seed: int
    values: dict[str, str] = field(default_factory=dict)
    rate: float = 0.0  # of the requests that carry them, beyond what failed before
    onset_s: float = SPAN_S / 2
    wander: float = 0.0  # standard deviation of the log of an upstream's error rate over time


def plan(seed: int, size: int, excess: float) -> Plan:
    """A set of `size` pairs that one request in a hundred has at least; 0 pairs is everyone.

    About `excess` requests fail beyond those that did before, unless all of the set do.
    """
    draw = random.Random(seed)
    onset = SPAN_S * draw.uniform(0.4, 0.7)
    while True:
        chosen = draw.sample(_MAY_FAIL, size)
        if any(len(family & set(chosen)) > 1 for family in _FAMILIES):
            continue
        values, traffic = {}, 1.0
        for name in chosen:
            _, prefix, count = next(f for f in FIELDS if f[0] == name)
            index = draw.randrange(min(count, 8))
            if name == "pod":
                service = draw.randrange(3)
                values[name], share = f"svc{service}-{index}", _share(service, 6)
                traffic *= share * _share(index, count)
            elif name == "country":
                values[name] = f"r{index % 4}-c{index}"
                traffic *= _share(index, count)
            elif name == "region":
                index %= 4
                values[name] = f"r{index}"
                traffic *= sum(_share(c, 20) for c in range(index, 20, 4))
            else:
                values[name] = f"{prefix}{index}"
                traffic *= _share(index, count)
        if traffic >= _LEAST_TRAFFIC:
            affected = traffic * REQUESTS * (1 - onset / SPAN_S)
            return Plan(seed, values, min(0.9, excess / affected), onset)


def _share(index: int, count: int) -> float:
    return math.log((index + 2) / (index + 1)) / math.log(count + 1)


def wandering(seed: int, wander: float) -> Plan:
    """Nothing is planted, but error rates wander."""
    return Plan(seed, onset_s=SPAN_S * random.Random(seed).uniform(0.4, 0.7), wander=wander)


def _course(plan: Plan) -> str:
    """SQL of the factor on the error rate of a request's upstream at `s`: three slow waves each."""
    draw = random.Random(plan.seed)
    size = plan.wander * math.sqrt(2 / 3)
    waves = {
        upstream: " + ".join(
            f"{size} * sin({2 * math.pi / (SPAN_S * draw.uniform(0.1, 1.5))} * s + {draw.uniform(0, 6.3)})"
            for _ in range(3)
        )
        for upstream in range(7)
    }
    each = " ".join(f"WHEN 'up{upstream}' THEN {wave}" for upstream, wave in waves.items())
    return f"exp(CASE upstream {each} END)" if plan.wander else "1"


def write(path: Path, plan: Plan, requests: int = REQUESTS) -> None:
    """Write the log."""
    db = duckdb.connect(config={"threads": 1})

    def u(number: int) -> str:  # uniform on [0, 1), another one for each number
        return f"(hash(i * 1009 + {number}, {plan.seed}) >> 11) / 9007199254740992.0"

    index = {
        name: f"CAST(floor(exp({u(k)} * ln({count + 1}))) - 1 AS INT)"
        for k, (name, _, count) in enumerate(FIELDS)
    }
    fields = {name: f"'{prefix}' || {index[name]}" for name, prefix, _ in FIELDS}
    fields["pod"] = f"'svc' || {index['service']} || '-' || {index['pod']}"
    fields["region"] = f"'r' || ({index['country']} % 4)"
    fields["country"] = f"'r' || ({index['country']} % 4) || '-c' || {index['country']}"
    listed = ", ".join(f"{sql} AS {name}" for name, sql in fields.items())
    inside = " AND ".join(f"{name} = '{value}'" for name, value in plan.values.items()) or "true"
    hit = f"CASE WHEN {inside} AND s >= {plan.onset_s} THEN {plan.rate} ELSE 0 END"
    own = f"{BASE_RATE} * (0.3 + 2 * ((ascii(right(path, 1)) * 7) % 5) / 5) * {_course(plan)}"  # by path
    db.execute(f"""
        COPY (
          SELECT {START} + s AS time, CASE WHEN bad THEN 'error' ELSE 'info' END AS level,
                 * EXCLUDE (i, s, bad, took), CASE WHEN bad THEN 503 ELSE 200 END AS status,
                 round(took, 2) AS duration_ms,
                 printf('%016x', hash(i, {plan.seed})) AS trace_id,
                 CASE WHEN s >= {plan.onset_s} THEN 'v42' ELSE 'v41' END AS version
          FROM (SELECT *, {u(101)} < {own} + {hit} AS bad, 20 * exp({u(102)}) AS took,
                       'lib' || CASE WHEN {u(103)} < CASE WHEN {inside} AND {len(plan.values)} > 0
                                     THEN 0.8 ELSE 0.1 END THEN 7
                                ELSE CAST(floor(exp({u(104)} * ln(7))) - 1 AS INT) END AS client
                FROM (SELECT i, {SPAN_S} * (i + {u(100)}) / {requests} AS s, {listed}
                      FROM range({requests}) r(i)))
          ORDER BY s
        ) TO '{path}' (FORMAT JSON)""")
    db.close()
