"""Dates as people and spreadsheets write them, as a field of a record."""

from __future__ import annotations

import json

import formats_support
import pytest

from locard.logs.fields.date_forms import date_form

SAME = 1795168800.0  # 2026-11-20T10:00:00Z
WRITTEN = [
    "20.11.2026 10:00:00", "20.11.2026, 10:00:00", "2026/11/20 10:00:00", "2026.11.20 10:00:00",
    "11/20/2026 10:00:00 AM", "11/20/2026 10:00:00", "20/11/2026 10:00:00", "20-11-2026 10:00:00",
    "20 Nov 2026 10:00:00", "20-Nov-2026 10:00:00", "Nov 20, 2026 10:00:00 AM", "Nov 20 2026 10:00:00",
    "Fri, 20 Nov 2026 11:00:00 +0100", "Fri, 20 Nov 2026 10:00:00 GMT", "Fri Nov 20 10:00:00 2026",
]  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
def test_the_moment_is_read(written):
    lines = [json.dumps({"time": written, "level": "info", "n": i}) for i in range(9)]
    rows, roles, _ = formats_support.records(lines)
    assert [row["role:time"] for row in rows] == [SAME] * 9
    assert roles.time_format.kind == "forms"


@pytest.mark.parametrize("values", [
    ["20.11.2026 10:00:00", "ready"], ["1.2.3 10:00:00"], ["10:00:00"], [], ["13/13/2026 10:00:00", "01/13/2026 10:00:00"],
])  # fmt: skip
def test_no_dates(values):
    assert date_form(values) is None
    assert date_form(WRITTEN[:1]) is not None


def test_which_number_is_the_day_is_told_by_the_values_or_said():
    form, sure = date_form(["01/02/2026 10:00:00", "13/02/2026 10:00:00"])
    assert (form.forms[0], sure) == ("%d/%m/%Y %H:%M:%S", True)
    form, sure = date_form(["01/02/2026 10:00:00", "01/13/2026 10:00:00"])
    assert (form.forms[0], sure) == ("%m/%d/%Y %H:%M:%S", True)
    form, sure = date_form(["01/02/2026 10:00:00"])
    assert (form.forms[0], sure) == ("%m/%d/%Y %H:%M:%S", False)
    lines = [json.dumps({"time": "01/02/2026 10:00:00", "n": i}) for i in range(9)]
    _, roles, _ = formats_support.records(lines)
    assert "taken to stand first" in roles.time_format.words()


def test_a_zone_that_was_declared_counts():
    from locard.logs.fields import times

    written = times.TimeFormat(
        "forms", zoned=False, zone="Europe/Berlin", forms=("%d.%m.%Y %H:%M:%S",)
    )
    import duckdb

    sql = times.epoch_sql("'20.11.2026 11:00:00'", written)
    assert duckdb.sql(f"SELECT {sql}").fetchall() == [(SAME,)]
