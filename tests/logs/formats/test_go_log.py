from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import go_log
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(go_log.SAMPLES, engine)


def test_a_panic_is_a_record_of_its_own():
    lines = [
        '{"level":"info","msg":"x"}',
        "panic: boom",
        "",
        "goroutine 1 [running]:",
        "main.main()",
    ]
    rows = records(lines)[0]
    assert rows[0].get("exception") is None
    assert rows[1]["message"] == "panic: boom"
    assert rows[1]["exception"] == "panic: boom\ngoroutine 1 [running]:\nmain.main()"
    assert len(rows) == 2
