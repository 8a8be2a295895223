from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import fallback
from locard.logs.lines.text_lines import UNKNOWN
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(fallback.SAMPLES, engine)


def test_a_line_without_time_and_level_is_no_record():
    rows, _, table = records(["[error] x", "Listening on port 8080", "an error occurred"])
    assert len(rows) == 1
    assert (table.skipped[0].reason, table.skipped[0].lines) == (UNKNOWN, 2)
