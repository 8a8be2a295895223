from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import klog
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(klog.SAMPLES, engine)


def test_a_word_that_begins_like_a_level_is_not_klog():
    assert not records(["Everything is fine", "E11 12:00"])[0]
