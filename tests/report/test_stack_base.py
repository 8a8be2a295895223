"""Two profiles beside each other: the three forms of a base, what is compared, what chance gives, bad files."""

from __future__ import annotations

import gzip
import json

import pytest

from locard.model.errors import UsageError
from locard.model.kernel_facts import CountedStack
from locard.report import flame_graph, stack_base, stack_files
from report.test_flame_graph import data_of

BEFORE = (
    CountedStack(("<module> (app/a.py:3)", "pay (app/shop.py:7)"), 100, "samples", "pool-1", pid=7),
    CountedStack(("<module> (app/a.py:3)", "log (app/log.py:9)"), 300, "samples", "pool-2", pid=8),
)
NOW = (
    CountedStack(
        ("<module> (app/a.py:5)", "pay (app/shop.py:8)"), 300, "samples", "pool-9", pid=70
    ),
    CountedStack(
        ("<module> (app/a.py:5)", "new (app/shop.py:1)"), 100, "samples", "pool-9", pid=70
    ),
)


def saved(tmp_path):
    """BEFORE in each form."""
    folded, speedscope, document = tmp_path / "f", tmp_path / "s", tmp_path / "j"
    folded.write_text(stack_files.folded(BEFORE))
    (tmp_path / "z").write_bytes(gzip.compress(folded.read_bytes()))
    speedscope.write_text(stack_files.speedscope(BEFORE, "orders"))
    facts = [
        {
            "program": "profile",
            "stacks": [
                {"frames": list(s.frames), "value": s.value, "thread": s.thread, "pid": s.pid}
                for s in BEFORE
            ],
        }
    ]
    document.write_text(json.dumps({"evidence": [{"facts": facts, "params": {"mode": "cpu"}}]}))
    return folded, tmp_path / "z", speedscope, document


def test_each_form_gives_the_same_changes(tmp_path):
    for path in saved(tmp_path):
        base = stack_base.read(str(path))
        assert base.total == 400
        found = {c.name: c for c in stack_base.changes(stack_files.paths(NOW), base)}
        pay = found["pay (app/shop.py)"]
        assert (pay.own_before, pay.own_now) == (0.25, 0.75)
        assert found["log (app/log.py)"].own_now == 0.0
        assert found["new (app/shop.py)"].own == 0.25
        assert found["<module> (app/a.py)"].whole_now == 1.0
        assert "pool-*" in found  # lines, pids and numbers of threads are no changes
        words = list(stack_base.lines(tuple(found.values()), base, 400))
        assert any("25.0% ->  75.0%   +50.0 points  pay (app/shop.py)" in w for w in words)
        assert any("75.0% ->   0.0%   -75.0 points  log (app/log.py)" in w for w in words)


def test_the_page_has_the_share_before_of_each_frame(tmp_path):
    base = stack_base.read(str(saved(tmp_path)[0]))
    data = data_of(flame_graph.page(NOW, "orders", "", base))
    shown = {data["names"][name]: before for _, name, _, before in data["nodes"]}
    assert shown["pay (app/shop.py)"] == 0.25
    assert shown["new (app/shop.py)"] == 0.0
    assert data["noise"] == [400, 400]
    assert data["changes"][0][0] == "log (app/log.py)"  # which is on the page although it is gone


def test_what_chance_gives_is_no_change():
    base = stack_base.Base("b", {("t", "f"): 55.0, ("t", "g"): 45.0})
    found = stack_base.changes([(("t", "f"), 50.0), (("t", "g"), 50.0)], base)
    words = list(stack_base.lines(found, base, 100.0))
    assert not any("points" in w for w in words[1:])
    assert "changed by no more than chance gives" in words[-1]


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b'{"profiles": [{}]}', b"no count here\n", b"a;b 0\n", b"\x1f\x8bbroken", b"\xff\xfe",
     b'{"evidence": [{"facts": [{"program": "x", "stacks": [{"frames": 3}]}]}]}', b"a;b nan\n", b"[" * 100000],
)  # fmt: skip
def test_what_is_no_profile_is_refused(tmp_path, content):
    path = tmp_path / "base"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        stack_base.read(str(path))


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        stack_base.read(str(tmp_path / "none"))
