from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import jvm_pattern
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(jvm_pattern.SAMPLES, engine)


def test_a_stack_trace_joins_its_record_and_counts_as_no_other():
    rows, _, table = records([s.line for s in jvm_pattern.SAMPLES])
    stack = rows[0]["exception"].split("\n")
    assert stack[0] == "com.acme.pay.DeclinedException: 51"
    assert stack[-1] == "... 23 more"
    assert not table.skipped
