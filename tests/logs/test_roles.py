from __future__ import annotations

import pytest

from locard.logs.profile import FieldProfile
from locard.logs.roles import assign, duration_unit, time_format


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
