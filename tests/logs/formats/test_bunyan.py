from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import bunyan
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(bunyan.SAMPLES, engine)


def test_words_as_levels_stay_words():
    line = '{"name":"pay","hostname":"h","pid":1,"level":"error","msg":"x","time":"2025-11-22T12:00:00Z","v":0}'
    assert records([line])[0][0]["role:level"] == "error"
