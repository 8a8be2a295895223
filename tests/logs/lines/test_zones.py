"""Zones in letters: what they mean, and what is said where they mean several things or none."""

from __future__ import annotations

import formats_support
import pytest

SAME = 1795168800.0  # 2026-11-20T10:00:00Z


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2026-11-20 10:00:00 UTC", None),
        ("2026-11-20 11:00:00 CET", None),
        ("2026-11-20 05:00:00 EST", "EST"),
        ("2026-11-20 15:30:00 IST", "Ireland"),
        ("2026-11-20 11:00:00 +01", None),
        ("2026-11-20 11:00:00 +0100", None),
        ("2026-11-20T11:00:00+01:00", None),
    ],
)
def test_each_record_has_its_own_zone(written, said):
    lines = [f"{written} INFO ready", "2026-11-20 12:00:00 +0200 INFO ready"] * 5
    rows, _, table = formats_support.records(lines)
    assert [row["role:time"] for row in rows] == [SAME] * 10
    assert said is None or any(said in note for note in table.notes)
    assert said is not None or not any("times name the zone" in note for note in table.notes)
