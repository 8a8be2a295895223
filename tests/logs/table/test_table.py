"""The table of records: parts of it that stand for all."""

from __future__ import annotations

import pytest

from locard.logs.table import table


@pytest.mark.parametrize("rhythm", [2, 5, 10])
def test_a_part_of_the_records_has_every_beat_of_their_rhythm(rhythm):
    """Two services that write by turns: each is in the part as often as it is in the log."""
    whole = table.Table(table.connect(1), "native", records=10 * table.ENOUGH)
    whole.db.execute(f"CREATE TABLE ev AS SELECT range AS n FROM range({whole.records})")
    rows = whole.rows(f"SELECT n % {rhythm}, count(*) FROM ev WHERE {whole.thinned} GROUP BY 1")
    assert len(rows) == rhythm
    share = table.ENOUGH / rhythm
    assert all(0.9 * share < count < 1.1 * share for _, count in rows)
