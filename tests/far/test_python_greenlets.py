"""Suspended greenlets, on no thread's stack: found among what the collector keeps, with their frames."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from far.test_python_stacks import look_items
from locard.runtime.python._greenlets import samples
from support import PROGRAMS


def test_each_suspended_greenlet_has_its_stack():
    process = subprocess.Popen(
        [sys.executable, "-B", PROGRAMS / "greenlets.py"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n"
        items = look_items(process.pid)
    finally:
        process.stdin.close()
        assert process.wait(10) == 0
    found = samples(items)
    stacks = Counter(tuple(f.function for f in g.frames) for g in found.greenlets)
    assert stacks[("wait",)] == 5
    assert stacks["sleep", "slow", "keep"] == 1
    assert not found.unread
    assert all(g.pid == process.pid for g in found.greenlets)
    assert not any("greenlet" in i for i in items if i.get("os_thread_id"))


def test_a_process_without_greenlets_is_not_gone_through(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdout.readline()
    items = look_items(process.pid)
    process.stdin.close()
    process.wait()
    assert samples(items) is None


def test_what_was_not_gone_through_is_said():
    found = samples([{"pid": 7, "unread": "greenlets: only the first 4096 objects were looked at"}])
    assert found.partial
    assert found.greenlets == ()
