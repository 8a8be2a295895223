from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import cri
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(cri.SAMPLES, engine)


def test_a_json_stream_keeps_its_own_time_and_gains_the_stream():
    lines = [
        f'2025-11-22T12:00:0{i}Z stderr F {{"time":"2025-11-22T12:00:0{i}.5Z","status":200}}'
        for i in range(9)
    ]
    rows, found, table = records(lines)
    assert found.time.name == "time"
    assert {r["prefix.stream"] for r in rows} == {"stderr"}
    assert not table.skipped
