"""Logs whose columns a line of them names."""

from __future__ import annotations

from formats_support import records

from locard.logs.input import log_source

HEAD = "#Fields: date time cs-method cs-uri-stem sc-status"


def line(i, status=200):
    return f"2026-11-25 10:{i // 60:02d}:{i % 60:02d} GET /orders/{i} {status}"


def test_a_head_counts_over_blocks_until_the_next(monkeypatch):
    monkeypatch.setattr(log_source, "BLOCK_BYTES", 1000)
    lines = [HEAD, *map(line, range(200)), "#Fields: date time sc-status c-ip"]
    lines += [f"2026-11-25 10:30:{i:02d} 503 10.0.0.{i}" for i in range(9)]
    rows, found, table = records(lines)
    assert not table.skipped
    assert len(rows) == 209
    assert [row["role:status"] for row in rows[-10:]] == [200, *[503] * 9]
    assert rows[-1]["client"] == "10.0.0.8"
    assert found.endpoint.name == "path"


def test_a_line_with_another_number_of_columns_costs_only_itself():
    rows, _, _ = records([HEAD, line(1), "2026-11-25 10:00:02 GET /a b c 200", line(3)])
    assert [row["role:status"] for row in rows if row.get("role:status")] == [200, 200]


def test_tabs_between_columns_and_blanks_in_the_head():
    rows, _, _ = records([HEAD, line(1).replace(" ", "\t"), line(2, 500).replace(" ", "\t")])
    assert [row["role:status"] for row in rows] == [200, 500]


def test_hostile_names_are_names():
    rows, _, _ = records(["#Fields: date time x\"'); sc-status", "2026-11-25 10:00:00 a 200"])
    assert rows[0]["role:status"] == 200
