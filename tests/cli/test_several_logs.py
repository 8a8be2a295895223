"""`locard logs A B`: each judged, what they share told, one that cannot be read left out."""

from __future__ import annotations

import json

import jsonschema
import pytest

from locard.report.schema import schema


def lines(begin, bad_from, end=240, message="ledger 10.0.0.7: connection refused"):
    for n in range(begin * 4, end * 4):
        bad = n >= bad_from * 4 and n % 2
        yield {
            "time": f"2026-11-27T20:{n // 240:02}:{n // 4 % 60:02}Z", "level": "error" if bad else "info",
            "status": 503 if bad else 200, "msg": message if bad else "request done", "duration_ms": 9,
        }  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def make(name, *args, **options):
        path = tmp_path / name
        path.write_text("".join(json.dumps(r) + "\n" for r in lines(*args, **options)))
        return path

    return make


def test_each_is_judged_and_what_they_share_is_told(write, locard):
    cart, checkout = write("cart.log", 0, 120), write("checkout.log", 180, 180)
    done = locard("logs", cart, checkout, "--tz", "UTC", "--no-keep")
    assert done.returncode == 1, done.stderr
    assert done.stdout.count("records, read by") == 2
    words = " ".join(done.stdout.split())
    assert "say the same: “ledger #: connection refused”" in words
    assert (
        "cart.log it began between 20:01:5" in words or "cart.log it began between 20:02:0" in words
    )


def test_nothing_is_shared_by_logs_that_say_different_things(write, locard):
    one, other = write("a.log", 0, 120), write("b.log", 0, 100, message="disk quota exceeded")
    body = locard.json("logs", one, other, "--no-keep")
    jsonschema.validate(body, schema())
    assert len(body["logs"]) == 2
    assert body["shared"] == []
    assert body["failed"] == []


def test_one_that_cannot_be_read_leaves_the_others(write, locard, tmp_path):
    good = write("a.log", 0, 500)
    body = locard("logs", good, tmp_path / "none.log", "-o", "json", "--no-keep")
    assert body.returncode == 4
    found = json.loads(body.stdout)
    assert [f["source"] for f in found["failed"]] == [str(tmp_path / "none.log")]
    assert len(found["logs"]) == 1
    assert locard("logs", tmp_path / "x", tmp_path / "y").returncode == 3
