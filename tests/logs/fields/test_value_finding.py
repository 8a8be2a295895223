"""Roles that only the values tell: what is found, and what looks like it and is not."""

from __future__ import annotations

import random

import pytest

from locard.logs.fields.amounts import duration_ms
from locard.logs.fields.profile import FieldProfile
from locard.logs.fields.roles import assign

START = 1_763_812_800
STATUSES = ["200", "200", "404", "200", "500", "302"] * 10


def field(name, values, count=1000):
    return FieldProfile(name, "c0", count, len(set(values)), tuple(values))


def roles(*fields, records=1000):
    return {
        r.role: (r.field, r.reason) for r in assign([*fields, STEADY_TIME], records=records).found
    }


STEADY_TIME = field("time", [f"2025-11-22T12:00:{i:02}Z" for i in range(60)])


@pytest.mark.parametrize(
    ("role", "values"),
    [
        ("status", STATUSES),
        ("status", ["200.0", "503.0", "404.0"] * 20),
        ("level", ["INFO", "WARN", "INFO", "ERROR"] * 15),
        ("level", ["information", "critical"] * 30),
        ("duration", [f"{i}ms" for i in range(60)]),
        ("duration", [f"{i / 7:.3f}s" for i in range(60)]),
        ("duration", [f"PT{i / 7:.3f}S" for i in range(60)]),
        ("duration", [f"00:00:0{i % 9}.{i:03}" for i in range(60)]),
        ("duration", [f"{i} msecs" for i in range(60)]),
        ("endpoint", ["/pay/7", "/cart", "/"] * 20),
        ("endpoint", ["GET /usr/7 HTTP/1.1", "POST /cart HTTP/2"] * 30),
        ("endpoint", ["https://shop.example/pay", "https://shop.example/cart"] * 30),
        ("trace_id", [f"{i:032x}" for i in range(60)]),
        ("trace_id", [f"00-{i:032x}-{i:016x}-01" for i in range(60)]),
    ],
)
def test_a_role_is_found_by_its_values_alone_and_says_so(role, values):
    name, reason = roles(field("q7", values))[role]
    assert name == "q7"
    assert "its values alone" in reason


@pytest.mark.parametrize(
    ("role", "name", "values"),
    [
        ("status", "q", [str(n) for n in range(200, 600, 7)]),  # sizes
        ("status", "bytes", STATUSES),
        ("status", "local_port", ["443", "80", "8080"] * 20),
        ("status", "page_limit", ["200", "500", "404"] * 20),
        ("status", "q", ["200", "500"] * 30),  # of what kind is not told
        ("status", "q", ["250", "354", "421", "550"] * 15),  # SMTP
        ("status", "q", ["200", "201", "204"] * 20),  # one kind
        ("level", "q", ["t", "f"] * 30),
        ("level", "q", ["success", "failure"] * 30),
        ("level", "q", ["info"] * 60),
        ("level", "q", ["info", "premium"] * 30),
        ("duration", "q", [str(n) for n in range(60)]),
        ("duration", "read_timeout", [f"{i}s" for i in range(60)]),
        ("duration", "q", ["30s"] * 60),
        ("duration", "q", [f"12:{i:02}:01" for i in range(60)]),  # a time of day
        ("duration", "q", [f"v{i}s" for i in range(60)]),
        ("endpoint", "q", ["/usr/lib/x.so", "/var/log/y", "/etc/z"] * 20),
        ("endpoint", "q", ["/srv/app/main.py:12", "/srv/app/pay.py:7"] * 30),
        ("endpoint", "referer", ["https://shop.example/pay", "https://shop.example/cart"] * 30),
        ("endpoint", "q", ["/"] * 60),
        ("trace_id", "q", [f"{i:08x}-0000-4000-8000-000000000000" for i in range(60)]),
        ("trace_id", "user.hash", [f"{i:032x}" for i in range(60)]),
        ("trace_id", "q", [f"{i % 3:032x}" for i in range(60)]),
    ],
)
def test_near_misses_get_no_role(role, name, values):
    assert role not in roles(field(name, values))


@pytest.mark.parametrize(
    "values",
    [
        [f"2025-11-22T12:00:{i:02}Z" for i in range(60)],
        [f"2025-11-22 12:00:{i:02},250" for i in range(60)],
        [str(START + i) for i in range(60)],
        [str((START + i) * 1000) for i in range(60)],
        [str((START + i) * 1_000_000) for i in range(60)],
        [str((START + i) * 1_000_000_000) for i in range(60)],
        [f"/Date({(START + i) * 1000})/" for i in range(60)],
    ],
)
def test_a_time_is_found_by_its_values(values):
    found = assign([field("q", values)], 1000)
    assert found.time is not None
    assert "its values alone" in found.found[0].reason


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("q", random.Random(1).sample([f"2025-{m:02}-1{d}T12:00:00Z" for m in range(1, 13) for d in range(9)], 60)),
        ("expires_at", [str(START + i) for i in range(60)]),
        ("q", ["2025-11-22T12:00:00Z"] * 60),
        ("q", [f"2025-11-{i // 3 + 1:02}" for i in range(60)]),  # days
        ("order_id", [str(START + i) for i in range(60)]),
        ("q", [str(4_000_000_000 + i) for i in range(60)]),  # lies ahead
        ("q", [str(i) for i in range(60)]),
    ],
)  # fmt: skip
def test_near_misses_of_times(name, values):
    assert assign([field(name, values)], 1000).time is None


def test_a_name_with_fitting_values_is_preferred():
    named = field("status", ["200", "500"] * 30)
    assert roles(named, field("q", STATUSES))["status"][0] == "status"


def test_a_name_without_fitting_values_is_not():
    named = field("status", ["done", "open"] * 30)
    assert roles(named, field("q", STATUSES))["status"][0] == "q"


def test_two_statuses_are_enough_beside_a_request():
    found = roles(field("q", ["200", "503"] * 30), field("method", ["GET", "POST"] * 30))
    assert found["status"][0] == "q"


def test_the_longest_amount_is_the_duration_and_none_is_a_group():
    connect = field("connect", [f"{i % 5}ms" for i in range(60)])
    service = field("service", [f"{20 + i}ms" for i in range(60)])
    found = roles(connect, service)
    assert found["duration"][0] == "service"
    assert "service" not in found


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("12ms", 12.0),
        ("1.5 s", 1500.0),
        ("1m2.5s", 62500.0),
        ("1h2m", 3_720_000.0),
        ("250µs", 0.25),
        ("3 msecs", 3.0),
        ("PT0.5S", 500.0),
        ("PT1M2.5S", 62500.0),
        ("P1DT1H", 90_000_000.0),
        ("00:00:01.234", 1234.0),
        ("1.02:00:00.5", 93_600_500.0),
        ("1 day, 0:00:01", 86_401_000.0),
        ("12", None),
        ("P", None),
        ("PT", None),
        ("soon", None),
    ],
)
def test_amounts(text, ms):
    assert duration_ms(text) == (None if ms is None else pytest.approx(ms))
