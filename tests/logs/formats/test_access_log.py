from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import access_log
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(access_log.SAMPLES, engine)


def test_a_line_with_a_quote_too_few_is_not_one():
    (row,), _, _ = records(['1.2.3.4 - - [22/Nov/2025:12:00:00 +0000] "GET / HTTP/1.1 200 5'])
    assert row["role:time"] == 1763812800.0
    assert "status" not in row
