"""Names of a live process, from outside: what stands behind each, on each CPython that this machine has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from locard.runtime.python import find
from support import source_of
from watch_here import EVERY, VERSIONS, program


def names(pid, pattern):
    """{name: row} of what matches."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", "find", pattern, str(pid)],
        input=source_of(find.FIND.program), capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {r["name"].partition(":")[2]: r for r in rows if "name" in r}, rows[-1]


@pytest.mark.parametrize("version", EVERY)
def test_each_kind_is_named_with_its_body_and_nothing_is_touched(version):
    with program(VERSIONS[version]) as target:
        before = target.ask()
        found, last = names(target.pid, "__main__:*")
        assert last["looked"] > 30
        assert not last["cut"]
        assert found["pay"]["said"][0].startswith("the body behind the wrapper pay")
        assert found["rate"]["kind"] == "lru_cache: function"
        assert found["Order.total"]["kind"] == "property: function"
        assert found["Order.double"]["said"] == ["a partialmethod: it resolves to this one"]
        assert {found[n]["kind"] for n in ("pages", "rows", "fetch")} == {
            "generator",
            "async generator",
            "coroutine",
        }
        assert {"encode[int]", "encode[object]"} <= set(found)
        assert found["stat"]["watch"].startswith("written in C: `locard libcalls`")
        assert "BIG" not in found
        line = found["deep"]["line"]
        assert Path(found["deep"]["file"]).read_text().splitlines()[line - 1].startswith("def deep")
        after = target.ask()
        assert (after["touched"], after["threads"], after["changed"]) == ({}, before["threads"], [])


def test_a_word_is_looked_for_anywhere_and_none_is_said(locard):
    with program() as target:
        found, _ = names(target.pid, "refun")
        assert set(found) == {"refund"}
        none, last = names(target.pid, "no_such_name_at_all")
        assert none == {}
        assert last["looked"] > 1000
        done = locard("find", f"pid/{target.pid}", "__main__:pay*")
        assert done.returncode == 0
        assert "__main__:pay_in_dollars  partial: function" in done.stdout


def test_what_is_no_python_is_said():
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        _, last = names(sleeper.pid, "x")
        assert "no _PyRuntime" in last["missed"]
    finally:
        sleeper.kill()
        sleeper.wait()
