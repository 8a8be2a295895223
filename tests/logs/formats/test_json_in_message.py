from __future__ import annotations

import pytest
from formats_support import check

from locard.logs.formats import json_in_message
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(json_in_message.SAMPLES, engine)
