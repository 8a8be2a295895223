"""Files that are JSON values: arrays, envelopes, pretty-printed or run together; what is broken costs only itself."""

from __future__ import annotations

import gzip
import json

import formats_support
import pytest

from locard.logs.lines import json_values

RECORDS = [
    {
        "time": f"2026-11-20T10:00:{i:02}Z",
        "big": 9007199254740993 + i,
        "nest": {"a": [1, {"b": "x]}{\n"}], "": None},
        "msg": 'say "é"\nand so',
    }
    for i in range(9)
]
LINES = "\n".join(map(json.dumps, RECORDS))
WRITTEN = {
    "array": json.dumps(RECORDS),
    "array of lines": "[\n" + LINES.replace("\n", ",\n") + "\n]\n",
    "pretty array": json.dumps(RECORDS, indent=2),
    "Records": json.dumps({"Records": RECORDS}),
    "a list in a list's object": json.dumps({"took": 3, "hits": {"total": 9, "hits": RECORDS}}, indent=1),
    "pretty objects": "\n".join(json.dumps(r, indent=4) for r in RECORDS),
    "run together": "".join(map(json.dumps, RECORDS)),
    "sequence": "".join(f"\x1e{json.dumps(r, indent=1)}\n" for r in RECORDS),
    "byte order mark": "\ufeff" + json.dumps(RECORDS, indent=1),
}  # fmt: skip


def lines_of(text, size=1 << 20, expanded=()):
    data = text.encode()
    assert json_values.is_json_values(data[: 1 << 20])
    chunks = (data[i : i + size] for i in range(0, len(data), size))
    return b"".join(json_values.lines_of(chunks, expanded)).decode().splitlines()


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_each_record_is_a_line(written, size):
    assert [json.loads(line) for line in lines_of(WRITTEN[written], size)] == RECORDS


@pytest.mark.parametrize("text", [
    LINES,
    '{"a":1}\n',  # one record; read as it is either way
    "[1,2]\n[3,4]\n",
    "[2026-11-20 10:00:00] ERROR late\n[2026-11-20 10:00:01] INFO in time\n",
    "[main] ERROR late\n",
    '{"a":1\n{"a":2}\n',  # the first line was cut
    "plain text\n",
    "",
])  # fmt: skip
def test_lines_stay_lines(text):
    data = text.encode()
    if json_values.is_json_values(data):
        assert b"".join(json_values.lines_of(iter([data]))) == data
    assert json_values.is_json_values(WRITTEN["array"].encode())


def test_a_record_with_an_array_of_objects_is_no_envelope():
    record = {"items": [{"id": 1}, {"id": 2}], "time": "2026-11-20T10:00:00Z"}
    for text in (json.dumps(record), json.dumps(record, indent=2), json.dumps([record])):
        assert [json.loads(line) for line in lines_of(text)] == [record]
    assert len(lines_of(json.dumps({"items": record["items"]}))) == 2


def test_what_stands_beside_the_records_is_kept_with_each():
    text = json.dumps(
        {"logGroup": "/aws/pay", "n": 2, "logEvents": [{"m": "a"}, {"logGroup": "own"}]}
    )
    assert [json.loads(line) for line in lines_of(text)] == [
        {"logGroup": "/aws/pay", "m": "a"},
        {"logGroup": "own"},
    ]


@pytest.mark.parametrize("size", [3, 1 << 20])
def test_what_is_broken_costs_only_itself(size):
    text = '[{"a":1},\n{"a":,},{"a":3}, "said\\n", 7,\n{"a":4'
    assert lines_of(text, size) == [
        '{"a":1}',
        '{"a":,}',
        '{"a":3}',
        "said",
        '{"value": 7}',
        '{"a":4',
    ]


def test_deep_and_endless_values_end():
    assert len(lines_of("[" + '{"a":' * 100_000)) == 1
    (line,) = lines_of('[{"a": "' + "x" * 100_000)
    assert line.startswith('{"a": "xxx')


def test_what_holds_many_records_in_a_known_form_is_left_whole():
    text = json.dumps({"resourceLogs": [{"scopeLogs": []}]}, indent=1)
    assert len(lines_of(text, expanded=('"resourceLogs"',))) == 1


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("packed", [False, True])
def test_fields_and_large_numbers_are_read(written, packed):
    data = WRITTEN[written].encode()
    got, *_ = formats_support.records(gzip.compress(data) if packed else data)
    assert [r["big"] for r in got] == [str(r["big"]) for r in RECORDS]
    assert got[0]["role:time"] == 1795168800.0


def test_longer_than_a_line_may_be(monkeypatch):
    monkeypatch.setattr("locard.logs.input.log_source.LONGEST_LINE", 1000)
    got, *_ = formats_support.records(json.dumps({"Records": RECORDS * 3}).encode())
    assert len(got) == 27
