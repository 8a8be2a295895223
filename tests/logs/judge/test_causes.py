"""What bad requests say: the cause in it, and one template for a message with ids."""

from __future__ import annotations

import json

import planted_logs as planted
import pytest

from locard.logs.judge.causes import columns_of, exception_line, mask, said


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("up-3fa4c1e9d0b7 stored", "up-# stored"),
        ("request 550e8400-e29b-41d4-a716-446655440000 lost", "request # lost"),
        ("upstream returned 503 after 12 ms", "upstream returned 503 after # ms"),
        ("GET /u/7 -> 507 in 3 ms", "GET /u/# -> 507 in # ms"),
        ("HTTP/1.1 502 for id 77", "HTTP/1.1 502 for id #"),
        ("exited with code 137", "exited with code 137"),
        ("status=429 user=1234", "status=429 user=#"),
        ("cafe facade added", "cafe facade added"),
        ("at 0xdeadBEEF", "at #"),
        ("worker 12 of 14", "worker # of #"),
    ],
)
def test_ids_go_and_status_codes_stay(text, masked):
    assert mask(text) == masked


def test_the_exception_of_a_stack_trace_is_its_own_line():
    trace = 'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    g()\nValueError: no such key: 7'
    assert exception_line(trace) == "ValueError: no such key: 7"
    assert exception_line("java.io.IOException: Broken pipe\n\tat a.b(C.java:1)") == (
        "java.io.IOException: Broken pipe"
    )


def test_a_cause_is_said_once():
    assert said("charge failed", ["timeout"], empty=False) == "charge failed: timeout"
    assert said("charge failed: timeout", ["timeout"], empty=False) == "charge failed: timeout"
    assert said("request served", ["timeout"], empty=True) == "timeout"
    assert said("request served", [], empty=True) == "request served"


def test_type_and_text_of_a_nested_error_come_in_order():
    columns = {
        "error.message": "c2",
        "error.type": "c1",
        "msg": "c0",
        "reason": "c3",
        "tenant": "c4",
    }
    assert columns_of(columns, "c0") == ["c1", "c2", "c3"]


@pytest.fixture
def messages(tmp_path):
    def run(change):
        rows = [
            json.loads(x) for x in planted.lines(3, incident=planted.Incident(150, error_rate=0.4))
        ]
        for number, row in enumerate(rows):
            change(row, number, row["status"] == 503)
        path = planted.write(tmp_path / "app.log", [json.dumps(r) for r in rows])
        return planted.summarise(str(path)).messages

    return run


def test_the_error_field_speaks_where_the_message_never_varies(messages):
    def change(row, number, failed):
        row["msg"] = "request served"
        row["error"] = f"pool timeout after {number % 7} s, id {number:016x}" if failed else None

    (found,) = messages(change)
    assert found.template.startswith("pool timeout after # s, id ")
    assert found.after > 1000
    assert found.first is not None


def test_a_message_that_says_something_keeps_its_words(messages):
    def change(row, _, failed):
        row["msg"] = "charge failed" if failed else "charged"
        row["error"] = {"type": "OSError", "message": "No route to host"} if failed else None

    (found,) = messages(change)
    assert found.template == "charge failed: OSError: No route to host"


def test_a_hex_id_in_each_message_is_one_template(messages):
    def change(row, number, failed):
        if failed:
            row["msg"] = f"store failed: No space left on device: '/data/up-{number * 7919:032x}'"

    (found,) = messages(change)
    assert found.template == "store failed: No space left on device: '/data/up-#'"


def test_different_status_codes_of_one_message_are_told_apart(messages):
    def change(row, number, failed):
        if failed:
            row["msg"] = f"bank answered {502 if number % 3 else 504} for order {number}"

    assert {m.template for m in messages(change)} == {
        "bank answered 502 for order #",
        "bank answered 504 for order #",
    }


def test_what_good_ones_say_too_is_nothing_that_bad_ones_say(messages):
    def change(row, *_):
        row["msg"] = "request served"

    assert messages(change) == ()
