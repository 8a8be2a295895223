"""Messages of text lines are mined as those of JSON are; digits of ids are no numbers that changed."""

from __future__ import annotations

import datetime as dt
import json
import random
import uuid

import planted_logs as planted
import pytest

from locard.logs.scan import native_engine

pytestmark = pytest.mark.skipif(
    not native_engine.available(), reason="the native module is not built"
)
ONSET = 900
NAMES = ["ann", "bob", "cem", "dov", "eva", "fay", "gil", "hans", "ines", "jo"]
FORMS = {
    "iso": "{iso}Z {level} {message}",
    "python": "{date} {time},{ms:03} {level} shop.pay: {message}",
    "logback": "{date} {time}.{ms:03} [main] {level} c.shop.Pay - {message}",
    "klog": "{letter}{month_day} {time}.{ms:03}000    7 pay.go:12] {message}",
    "cri": "{iso}.{ms:03}000000Z stdout F {date} {time},{ms:03} {level} shop.pay: {message}",
    "unknown": "{iso}Z pay/{level}/ {message}",
}


def said(seed=17):
    """Second, whether it failed and message: one kind of failure is new since the onset."""
    rng = random.Random(seed)
    for i in range(2000):
        late = i >= ONSET
        bad = rng.random() < (0.3 if late else 0.02)
        which = rng.choices([0, 1, 2], [1, 1, 6 if late else 0])[0]
        key = uuid.UUID(int=rng.getrandbits(128))
        failures = (
            f"refund {key} refused by bank",
            f"letter for customer {rng.choice(NAMES)} came back",
            f"lock of runner run-{rng.getrandbits(24):06x} expired",
        )
        yield i, bad, failures[which] if bad else f"refund {key} granted"


def written(tmp_path, form):
    lines = []
    for i, bad, message in said():
        at = dt.datetime(2026, 11, 20, 9) + dt.timedelta(seconds=i)  # noqa: DTZ001 - the forms write the zone or none
        level = "ERROR" if bad else "INFO"
        iso = at.isoformat()
        values = {
            "iso": iso, "date": iso[:10], "time": iso[11:19], "ms": i % 1000, "level": level,
            "letter": level[0], "month_day": f"{at:%m%d}", "message": message,
        }  # fmt: skip
        if form == "json":
            lines.append(json.dumps({"time": f"{iso}Z", "level": level, "msg": message}))
        else:
            lines.append(FORMS[form].format(**values))
    return planted.write(tmp_path / "app.log", lines)


@pytest.mark.parametrize("form", [*FORMS, "json"])
def test_text_is_mined_as_json_is(tmp_path, form):
    found = planted.summarise(str(written(tmp_path, form)))
    expected = {kind: [0, 0] for kind in ("refused", "came back", "expired")}
    for i, bad, message in said():
        for kind, counted in expected.items():
            if bad and kind in message:
                counted[i >= ONSET] += 1
    counts = {
        kind: [(m.before + m.after) for m in found.messages if kind in m.template]
        for kind in expected
    }
    assert counts == {kind: [sum(both)] for kind, both in expected.items()}
    new = [t for t in found.templates if t.kind == "new"]
    assert [("expired" in t.template, t.before) for t in new] == [(True, 0)]
    assert found.numbers == ()


def test_a_number_by_itself_is_told_beside_ids(tmp_path):
    lines = []
    rng = random.Random(3)
    for i, bad, _ in said():
        iso = f"2026-11-20T{9 + i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}Z"
        key = uuid.UUID(int=rng.getrandbits(128))
        wait = 50 if i < ONSET else 5000
        message = f"call {key} of pod-{rng.randrange(9)}x{rng.randrange(9)} gave up after {wait}ms"
        lines.append(f"{iso} {'ERROR' if bad else 'INFO'} {message if bad else f'call {key} done'}")
    found = planted.summarise(str(planted.write(tmp_path / "app.log", lines)))
    assert [(n.place, n.before, n.after) for n in found.numbers] == [(1, 50, 5000)]
