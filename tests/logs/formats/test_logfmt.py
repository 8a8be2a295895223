from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import logfmt
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(logfmt.SAMPLES, engine)


def test_one_pair_in_a_sentence_is_not_logfmt():
    rows, _, table = records(["a=b", "retry with x=1 and hope"])
    assert not rows
    assert table.skipped[0].lines == 2
