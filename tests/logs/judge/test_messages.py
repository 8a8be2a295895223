"""What the log says: templates that came and went, numbers that changed, exceptions, requests to look at."""

from __future__ import annotations

import json
import random

import planted_logs as planted
import pytest

from locard.logs.scan import native_engine

ENGINES = [
    "duckdb",
    pytest.param(
        "native",
        marks=pytest.mark.skipif(not native_engine.available(), reason="the native module is not built"),
    ),
]  # fmt: skip
INCIDENT = planted.Incident(150, error_rate=0.4, affected={"upstream": "card"})


@pytest.fixture(params=ENGINES)
def summary(request, tmp_path):
    """The summary of a log with an incident at 150 s and further lines (time in s, record)."""

    def make(*more, incident=INCIDENT):
        rows = [json.loads(line) for line in planted.lines(3, incident=incident)]
        rows += [{"time": planted.START + at, "level": "info", **record} for at, record in more]
        rows.sort(key=lambda r: r["time"])
        path = planted.write(tmp_path / "app.log", [json.dumps(r) for r in rows])
        return planted.summarise(str(path), engine=request.param)

    return make


def every(step, start, end, **record):
    return [(start + i * step, record) for i in range(int((end - start) / step))]


def test_new_and_vanished_templates_are_told(summary):
    found = summary(
        *every(1, 0, 150, msg="cache warmed with 12 keys"),
        *every(0.5, 151, 300, msg="circuit breaker open for card"),
        *every(1, 0, 300, msg="heartbeat 7 from worker"),
    )
    kinds = {t.template.split()[0]: t.kind for t in found.templates}
    assert kinds["cache"] == "vanished"
    assert kinds["circuit"] == "new"
    assert "heartbeat" not in kinds


def test_without_an_incident_no_template_changed(summary):
    found = summary(*every(1, 0, 300, msg="heartbeat 7 from worker"), incident=None)
    assert found.templates == ()
    assert found.numbers == ()
    assert found.examples == ()


def test_a_number_that_changed_inside_a_template_is_told(summary):
    rng = random.Random(1)
    lines = [
        (t, {"msg": f"calling card with timeout {50 if t < 150 else 5000} ms, request {i}"})
        for i, t in enumerate(sorted(rng.uniform(0, 300) for _ in range(300)))
    ]
    found = summary(*[(t, {**r, "level": "error"}) for t, r in lines])
    (number,) = [n for n in found.numbers if "timeout" in n.example]
    assert (number.before, number.after) == (50, 5000)
    assert "timeout" in number.example


def test_exceptions_are_grouped_by_type_and_frame(summary):
    java = (
        "java.net.SocketTimeoutException: Read timed out\n"
        "\tat com.example.CardClient.call(CardClient.java:88)\n\tat com.example.Pay.run(Pay.java:12)"
    )
    python = (
        'Traceback (most recent call last):\n  File "/srv/app/pay.py", line 12, in run\n    call()\n'
        '  File "/srv/app/card.py", line 88, in call\n    raise\nshop.errors.CardDeclinedError: no'
    )
    found = summary(
        *every(2, 151, 300, msg="failed", level="error", exception=java),
        *every(5, 151, 300, msg="failed", level="error", stack_trace=python),
    )
    seen = {e.type: (e.frame, e.before, e.after) for e in found.exceptions}
    frame, before, after = seen["java.net.SocketTimeoutException"]
    assert frame == "com.example.CardClient.call(CardClient.java:88)"
    assert before == 0
    assert after >= 70
    assert seen["shop.errors.CardDeclinedError"][0] == "call (card.py:88)"


def test_a_typical_and_the_slowest_request_are_named(summary):
    found = summary(incident=planted.Incident(150, slower=20, affected={"region": "us-east"}))
    why = [e.why for e in found.examples]
    assert why[:2] == ["typical", "slowest"]
    typical, slowest = found.examples[:2]
    assert typical.trace_id != slowest.trace_id
    assert slowest.duration_ms > typical.duration_ms
