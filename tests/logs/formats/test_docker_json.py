from __future__ import annotations

import pytest
from formats_support import check, records

from locard.logs.formats import docker_json
from locard.logs.scan import native_engine


@pytest.mark.parametrize("engine", ["duckdb", "native"])
def test_its_samples(engine):
    if engine == "native" and not native_engine.available():
        pytest.skip("the native module is not built")
    check(docker_json.SAMPLES, engine)


def test_a_line_that_docker_cut_is_whole_again():
    first = r'{"log":"{\"ts\":1763812800,","stream":"stdout","time":"2025-11-22T12:00:00Z"}'
    rest = r'{"log":"\"status\":503}\n","stream":"stdout","time":"2025-11-22T12:00:00Z"}'
    rows, _, table = records([first, rest])
    assert [r["status"] for r in rows] == ["503"]
    assert not table.skipped
