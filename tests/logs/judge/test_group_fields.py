"""Which fields are groups: many of them, and the frequent values of those with too many."""

from __future__ import annotations

import json
import random

import planted_logs as planted
import pytest


@pytest.mark.parametrize("spell", ["user-{}", "{}"])
def test_one_customer_among_many_is_named(tmp_path, spell):
    draw = random.Random(1)
    rows = []
    for i in range(20_000):
        hit = draw.random() < 0.02
        customer = spell.format(77_777 if hit else draw.randrange(100_000))
        bad = draw.random() < (0.6 if hit and i > 10_000 else 0.002)
        rows.append(
            {
                "time": planted.START + i / 50,
                "status": 503 if bad else 200,
                "duration_ms": round(draw.lognormvariate(3, 0.5), 2),
                "customer_id": int(customer) if customer.isdigit() else customer,
                "region": draw.choice(["eu", "us"]),
            }
        )
    path = planted.write(tmp_path / "app.log", [json.dumps(r) for r in rows])
    found = planted.summarise(str(path))
    assert found.correlates[0].values == (("customer_id", spell.format(77_777)),)


def test_five_hundred_fields_are_looked_at(tmp_path):
    draw = random.Random(2)
    rows = []
    for i in range(4_000):
        fields = {f"f{k:03}": draw.choice("abcd") for k in range(500)}
        bad = draw.random() < (0.5 if fields["f444"] == "c" and i > 2_000 else 0.005)
        rows.append({"time": planted.START + i / 10, "status": 500 if bad else 200, **fields})
    path = planted.write(tmp_path / "app.log", [json.dumps(r) for r in rows])
    found = planted.summarise(str(path))
    assert found.correlates[0].values == (("f444", "c"),)
