from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import otlp
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(otlp.SAMPLES, engine)


def test_many_records_a_line_keep_their_order():
    entry = '{"timeUnixNano":"%d000000000","severityNumber":9,"body":{"stringValue":"n%d"}}'
    entries = ",".join(entry % (1763812800 + i, i) for i in range(5))
    rows, _, table = records(
        ['{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + entries + "]}]}]}"]
    )
    assert [r["role:message"] for r in rows] == [f"n{i}" for i in range(5)]
    assert table.records == 5


def test_equal_attribute_keys_cost_the_attributes_and_not_the_record():
    twice = '{"key":"a","value":{"stringValue":"x"}}'
    line = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1763812800000000000","attributes":[%s,%s]}]}]}]}'
    assert len(records([line % (twice, twice)])[0]) == 1
