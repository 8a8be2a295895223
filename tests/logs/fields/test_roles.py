from __future__ import annotations

import pytest
from formats_support import records

from locard.logs.fields.levels import names_level, numbering_of
from locard.logs.fields.profile import FieldProfile
from locard.logs.fields.roles import assign, duration_unit, time_format


def field(name, *values, count=100, distinct=None):
    return FieldProfile(name, "c0", count, distinct or len(set(values)), values)


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("duration_ms", ["12.5", "3"], "ms"),
        ("durationMs", ["12", "3"], "ms"),
        ("latency_us", ["12000"], "us"),
        ("elapsed_seconds", ["0.01"], "s"),
        ("http.duration_ns", ["1000000"], "ns"),
        ("duration", ["12ms", "1.5s"], "written"),
        ("request_time", ["0.004", "0.120"], "s"),
        ("latency", ["120", "80", "95"], "ms"),
        ("duration", ["12000000", "45000000"], "ns"),
        ("responseTime", ["33", "120", "18"], "ms"),
        ("responseTime", ["0", "1", "0", "2", "7"], "ms"),
        ("responseTime", ["0.8", "1.2", "8.3"], "ms"),
        ("took", ["0", "1", "0", "2", "23"], "ms"),
        ("took", ["0.012", "0.2", "1.4"], "s"),
        ("took_s", ["0", "1", "2"], "s"),
    ],
)
def test_the_unit_of_a_duration(name, values, unit):
    assert duration_unit(field(name, *values))[0] == unit


@pytest.mark.parametrize(
    ("values", "kind", "scale"),
    [
        (["2025-11-22T12:00:00Z"], "iso", 1.0),
        (["2025-11-22T12:00:00.123+02:00"], "iso", 1.0),
        (["2025-11-22 12:00:00,123"], "iso", 1.0),
        (["22/Nov/2025:12:00:00 +0000"], "clf", 1.0),
        (["1763812800.25"], "epoch", 1.0),
        (["1763812800250"], "epoch", 1e-3),
        (["1763812800250000000"], "epoch", 1e-9),
    ],
)
def test_how_time_is_written(values, kind, scale):
    found = time_format(field("time", *values))
    assert (found.kind, found.scale) == (kind, scale)


@pytest.mark.parametrize("values", [["12"], ["noon"], [""], ["12:30"]])
def test_what_is_no_time(values):
    assert time_format(field("time", *values)) is None


def test_a_time_without_zone_is_said():
    assert not time_format(field("time", "2025-11-22 12:00:00,123")).zoned
    assert time_format(field("time", "2025-11-22 12:00:00Z")).zoned
    assert time_format(field("time", "2025-11-22T12:00:00+0100")).zoned


def test_the_value_has_to_confirm_the_name():
    fields = [
        field("status", "ok", "failed"),
        field("http.response.status_code", "200", "503"),
        field("level", "41", "900"),
        field("severity", "INFO", "ERROR"),
        field("time", "0.01", "0.2"),
        field("ts", "1763812800"),
    ]
    roles = assign(fields, 100)
    assert roles.status.name == "http.response.status_code"
    assert roles.level.name == "severity"
    assert roles.time.name == "ts"
    assert all(r.reason for r in roles.found)


def test_a_field_of_most_records_beats_a_better_name_in_few():
    fields = [field("time", "2025-11-22T12:00:00Z", count=3), field("ts", "1763812800", count=100)]
    assert assign(fields, 100).time.name == "ts"


def test_group_fields_have_roles():
    fields = [
        field("customer_tier", "plus", "free"),
        field("region", "eu", "us"),
        field("upstream", "card", "bank"),
        field("pod", "a", "b"),
    ]
    found = {r.field: r.role for r in assign(fields, 100).found}
    assert found == {
        "customer_tier": "segment",
        "region": "region",
        "upstream": "upstream",
        "pod": "instance",
    }


def read(*lines):
    return records(list(lines))[:2]


def test_two_formats_in_one_stream_keep_one_meaning():
    rows, found = read(
        '{"ts":1763812800.5,"lvl":"error","msg":"a","elapsed_s":0.25,"status":503}',
        '1.2.3.4 - - [22/Nov/2025:12:00:01 +0000] "GET /x HTTP/1.1" 200 5 "-" "-" 0.120',
        "2025-11-22 12:00:02,250 - shop - ERROR - b",
        '{"ts":1763812803,"lvl":"info","msg":"c","elapsed_s":1,"status":200}',
    )
    assert [r["role:time"] for r in rows] == [1763812800.5, 1763812801, 1763812802.25, 1763812803]
    assert [r["role:level"] for r in rows] == ["error", None, "error", "info"]
    assert [r["role:duration_ms"] for r in rows] == [250, 120, None, 1000]
    assert [r["role:status"] for r in rows] == [503, 200, None, 200]
    assert [r["role:message"] for r in rows] == ["a", None, "b", "c"]
    assert {r.field for r in found.found if r.role == "time"} == {"ts", "time"}


def test_a_field_that_stands_beside_is_no_second_source():
    rows, found = read(
        '{"time":"2025-11-22T12:00:00Z","created":"2019-01-01T00:00:00Z"}',
        '{"time":"2025-11-22T12:00:01Z","created":"2020-01-01T00:00:00Z"}',
        '{"created":"2021-01-01T00:00:00Z"}',
    )
    assert found.time.name == "time"
    assert rows[2]["role:time"] is None


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        ("2025-11-22T12:00:00.123+02:00", 1763805600.123),
        ("2025-11-22T12:00:00+0200", 1763805600.0),
        ("2025-11-22 12:00:00 -0530", 1763832600.0),
        ("2025-11-22T12:00:00.5-05", 1763830800.5),
        ("2025-11-22 12:00:00,250", 1763812800.25),
        ("2025-11-22T12:00:00.123456789Z", 1763812800.123456),
        ("1763812800", 1763812800.0),
        ("1763812800250", 1763812800.25),
        ("1763812800250000", 1763812800.25),
        ("1763812800250000000", 1763812800.25),
        ("22/Nov/2025:13:00:00 +0100", 1763812800.0),
    ],
)
def test_times_alone_and_among_others(text, epoch):
    (row,), _ = read(f'{{"time":"{text}"}}')
    assert row["role:time"] == pytest.approx(epoch, abs=1e-5)
    rows, _ = read(f'{{"time":"{text}"}}', '{"time":1763812800}', '{"time":"2025-11-22T12:00:00Z"}')
    assert [r["role:time"] for r in rows] == pytest.approx(
        [epoch, 1763812800, 1763812800], abs=1e-5
    )


@pytest.mark.parametrize(
    ("text", "ms"),
    [("12ms", 12), ("1.5s", 1500), ("250µs", 0.25), ("90ns", 9e-5), ("1m2.5s", 62500), ("2h0m1s", 7201000),
     ("3m", 180000), ("1h", 3600000), ("7 ms", 7)],
)  # fmt: skip
def test_durations_that_name_their_unit(text, ms):
    (row,), found = read(f'{{"took":"{text}"}}')
    assert row["role:duration_ms"] == pytest.approx(ms)
    assert found.duration_unit == "ms"


def test_a_status_in_a_field_code():
    (row, _), found = read('{"code":200,"msg":"x"}', '{"code":503,"msg":"y"}')
    assert row["role:status"] == 200
    assert found.status.name == "code"
    assert "values like 200" in next(r.reason for r in found.found if r.role == "status")


def test_a_dialects_numbers_hold_in_its_own_records_only():
    bunyan = '{"name":"a","hostname":"h","pid":1,"v":0,"level":%d,"time":"2025-11-22T12:00:00Z","msg":"x"}'
    rows, found = read(bunyan % 50, bunyan % 30, '{"level":"WARN","time":1763812801,"msg":"y"}')
    assert [r["role:level"] for r in rows] == ["error", "info", "warn"]
    assert [r.field for r in found.found if r.role == "level"] == ["level"]


def test_durations_with_and_without_a_unit_in_one_field():
    rows, _ = read('{"took":"12ms"}', '{"took":40}', '{"took":55}', '{"took":"1.5s"}')
    assert [r["role:duration_ms"] for r in rows] == [12, 40, 55, 1500]


@pytest.mark.parametrize(
    ("texts", "ms"),
    [
        (["PT0.5S", "PT1M2.5S", "P1DT1H"], [500.0, 62500.0, 90_000_000.0]),
        (["00:00:01.234", "1.02:00:00.5", "0:00:00"], [1234.0, 93_600_500.0, 0.0]),
        (["3 msecs", "1.5 seconds", "250µs"], [3.0, 1500.0, 0.25]),
        (["12", "00:00:01.5", "7"], [12.0, 1500.0, 7.0]),
    ],
)
def test_durations_of_every_writing(texts, ms):
    lines = [f'{{"time":"2025-11-22T12:00:0{i}Z","duration":"{t}"}}' for i, t in enumerate(texts)]
    rows, _, _ = records(lines)
    assert [r["role:duration_ms"] for r in rows] == pytest.approx(ms)


def test_severity_number_is_numbered_as_otlp_does():
    lines = [
        f'{{"timestamp":"2026-11-20T10:00:{i:02}Z","severity_number":{18 if i % 5 == 0 else 9},"body":"x"}}'
        for i in range(40)
    ]
    _, roles, _ = records(lines)
    assert roles.level.name == "severity_number"
    assert numbering_of(roles.level) == "otlp"


def test_a_level_in_a_message_is_read_through_its_colours():
    assert names_level("\x1b[31merror\x1b[39m: refused")
    assert not names_level("\x1b[31mno trouble\x1b[39m")
