"""Names of processes that try to look like something else."""

from __future__ import annotations

import pytest

from locard.model.proc_stat import stats

REST = "S 1 " + " ".join(["0"] * 17) + " 500 0"


@pytest.mark.parametrize(
    "name",
    ["x\ny", ") (x", "\n", "a\rb", "a\u2028b", "\ufffd\ufffd", "", "1 (a) S 1", "\n9 (a) S 1"],
)
def test_any_name(name):
    lines = f"9 ({name}) {REST}\n".split("\n")[:-1]
    text = "\n".join(f"/proc/9/stat:{line}" for line in lines)
    assert list(stats(f"/proc/stat:btime 5\n{text}\n/proc/8/stat:8 (b) {REST}")) == [
        (9, name, REST.split()),
        (8, "b", REST.split()),
    ]


def test_what_is_torn_is_left_out():
    assert list(stats("/proc/9/stat:9 (x) S 1\n/proc/8/stat:) (\nnonsense")) == []
