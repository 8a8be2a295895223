from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import python_logging
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(python_logging.SAMPLES, engine)


def test_a_traceback_joins_a_json_record_too():
    trace = [
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in f',
        "    g()",
        "ValueError: no",
    ]
    rows, _, table = records(
        ['{"level":"error","msg":"boom"}', *trace, '{"level":"info","msg":"on"}']
    )
    assert rows[0]["exception"].endswith("ValueError: no")
    assert rows[1]["exception"] is None
    assert not table.skipped


def test_a_traceback_without_a_record_is_one_of_its_own():
    (row,) = records(
        ["Traceback (most recent call last):", '  File "a.py", line 1', "ValueError: no"]
    )[0]
    assert (row["level"], row["message"]) == ("error", "ValueError: no")
