from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import syslog_3164
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(syslog_3164.SAMPLES, engine)


def test_a_year_that_would_lie_ahead_is_the_last_one():
    (row,) = records(["Dec 24 12:00:00 web-1 app: x"])[0]
    assert row["time"].startswith("2024-12-24T12:00:00")
