"""A pool that is used up, in a real program of its library, as our reader sees it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from far.test_python_stacks import look_items
from support import PROGRAMS


def used_up(library, *words):
    """(what is said of the pool, what the program says of itself); skips without the library."""
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed: it is one of locard[dev]")
    process = subprocess.Popen(
        [sys.executable, "-B", PROGRAMS / "pools" / f"{library}_pool.py", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        truth = json.loads(process.stdout.readline())
        found = pools(process.pid)
        for _ in range(50):  # a thread that was started may not have come to wait yet
            if found and found[0]["waiting"] == truth["waiters"]:
                break
            found = pools(process.pid)
    finally:
        process.stdin.close()
        assert process.wait(10) == 0  # it ends as it would have
        process.stdout.close()
    assert len(found) == 1
    return found[0], truth


def pools(pid):
    found = [i for i in look_items(pid) if i.get("kind") == "pool"]
    return [dict(i, waiting=len(i["threads"]) + len(i["tasks"]) + i["greenlets"]) for i in found]
