"""JSON of other programs: one kind of error, and nobody reads it without."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import locard
from locard.model.foreign_json import parsed


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"{", b"\xff", "", "nul"])
def test_what_cannot_be_read_is_a_value_error(data):
    with pytest.raises(ValueError, match=r"."):
        parsed(data)


def test_the_rest_is_its_value():
    assert parsed(b'[{"a": 1}]') == [{"a": 1}]


def test_wherever_json_is_read_one_that_is_too_deep_is_expected():
    ours = {"model/foreign_json.py", "report/rows.py", "ledger/store.py", "far/serve.py", "far/observe.py",
            "logs/lines/unwrap.py", "logs/lines/json_values.py", "logs/backends/elasticsearch.py",
            "logs/ask/kept_scans.py", "far/python_watch.py"}  # fmt: skip
    root = Path(locard.__file__).parent
    for file in root.rglob("*.py"):
        name = str(file.relative_to(root))
        if name in ours or name.startswith("lab/"):
            continue  # what they read locard has written itself, or a library has read before
        for after in file.read_text("utf-8").split("json.loads(")[1:]:
            handled = re.search(r"except\s+\(?[^:]*\)?:", after)
            assert handled is not None, name
            assert "RecursionError" in handled[0], f"{name}: foreign_json.parsed reads it"
