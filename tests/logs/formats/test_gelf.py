from __future__ import annotations

import pytest
from formats_support import check, check_near_misses

from locard.logs.formats import gelf
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(gelf.SAMPLES, engine)


def test_its_near_misses():
    check_near_misses(gelf)
