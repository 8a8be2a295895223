"""The reader of Python's stacks on each CPython that this machine has, beside what the program says of itself."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

import forky_lab
from locard.far import python_objects, python_stacks, python_threads
from locard.runtime.python import _dump, stacks
from support import PROGRAMS, pythons, source_of, wait_until

VERSIONS = pythons() | forky_lab.interpreters()
EVERY = forky_lab.marked(VERSIONS)


@contextlib.contextmanager
def running(python, *words):
    """The program under an interpreter, and what it said of itself."""
    process = subprocess.Popen(
        [python, "-B", PROGRAMS / "locked.py", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        assert process.wait(10) == 0  # it ends as it would have


def look_items(pid):
    """One look, as it runs at a place: source on standard input."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", "dump", str(pid)],
        input=source_of(stacks.OWN.program), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return _dump.items(done.stdout)


def look(pid):
    """The threads of one look, by their ids."""
    return {t["os_thread_id"]: t for t in look_items(pid) if "frames" in t}


def waiting(pid, truth):
    """A look at which all three have come to the lock."""
    for _ in range(100):
        threads = look(pid)
        if all((threads.get(t) or {}).get("lock") for t in truth["waiters"]):
            return threads
        time.sleep(0.05)
    return threads


@pytest.mark.parametrize("version", EVERY)
def test_stacks_names_lines_and_the_owner_of_a_lock(version):
    with running(VERSIONS[version]) as (process, truth):
        threads = waiting(process.pid, truth)
        assert len(threads) == 5
        assert not any(t["torn"] for t in threads.values())
        keeper = threads[truth["holder"]]
        assert keeper["thread_name"] == "keeper"
        first = keeper["frames"][0]
        assert (first["name"].split(".")[-1], first["line"]) == ("hold", truth["held_at"])
        for tid in truth["waiters"]:
            names = [f["name"].split(".")[-1] for f in threads[tid]["frames"]]
            assert names[:2] == ["steps", "wait"]
            assert names[-1] == "_bootstrap"
            assert threads[tid]["frames"][0]["line"] == truth["at"]
            lock = threads[tid]["lock"]
            assert (lock["kind"], lock["owner_tid"], lock["owner_here"]) == (
                "RLock",
                truth["holder"],
                True,
            )
            assert lock["sure"] == (version in {"3.8", "3.9", "3.10", "3.11", "3.12"})
        assert threads[process.pid]["thread_name"] == "MainThread"
        assert threads[process.pid]["lock"] is None


@pytest.mark.parametrize("version", EVERY)
def test_a_thread_that_runs_is_read_whole_or_said_to_be_torn(version):
    with running(VERSIONS[version], "spin") as (process, truth):
        seen = set()
        for _ in range(10):
            thread = look(process.pid)[truth["spinner"]]
            if not thread["torn"]:
                names = [f["name"] for f in thread["frames"]]
                assert names[-4:][0] == "spin"
                assert names[:-4] in ([], ["add"])
                seen.update(names)
        assert "spin" in seen


INNER = """
import sys, threading
try: import _interpreters as inner
except ImportError: import _xxsubinterpreters as inner
def tenant():
    inner.run_string(inner.create(), "import time\\ndef crunch():\\n while True: pass\\ncrunch()")
threading.Thread(target=tenant, name="tenant", daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
import os; os._exit(0)
"""


@pytest.mark.parametrize("version", [v for v in VERSIONS if v in {"3.12", "3.13"}])
def test_a_thread_inside_of_another_interpreter_is_one_thread(version):
    process = subprocess.Popen(
        [VERSIONS[version], "-B", "-c", INNER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"

    def within():
        dump = look_items(process.pid)
        return next((t for t in dump if "interpreter 1" in t.get("thread_name", "")), None)

    wait_until(lambda: within() and [f["name"] for f in within()["frames"]][:1] == ["crunch"])
    found = within()
    assert found["thread_name"] == "tenant (interpreter 1)"
    names = [f["name"] for f in found["frames"]]
    assert names[:2] + names[2:3] == ["crunch", "<module>", "tenant"]
    dump = [t for t in look_items(process.pid) if "frames" in t]
    assert len({t["os_thread_id"] for t in dump}) == len(dump) == 2
    process.stdin.close()
    assert process.wait(10) == 0


def test_a_thread_that_has_not_begun_is_not_taken_for_who_begins_it(monkeypatch):
    monkeypatch.setattr(python_stacks, "word", python_objects.word, raising=False)
    monkeypatch.setattr(python_stacks, "Thread", python_threads.Thread, raising=False)
    monkeypatch.setattr(python_threads, "word", python_objects.word, raising=False)
    at = {
        "interpreter.threads_head": 0,
        "thread.size": 24,
        "thread.next": 0,
        "thread.interp": 8,
        "thread.ident": 16,
    }
    # The newest first: one that has no id yet, one with the id of who made it, and two that run.
    states = {200: (300, 0), 300: (400, 7), 400: (500, 8), 500: (0, 7)}
    memory = SimpleNamespace(
        number=lambda _: 200,
        read=lambda address, _: struct.pack("<3Q", states[address][0], 100, states[address][1]),
    )
    reader = python_stacks.Reader.__new__(python_stacks.Reader)
    reader.memory, reader.layout = memory, SimpleNamespace(at=at)
    assert [t.address for t in reader.threads(100)] == [400, 500]
    assert reader.beginning
    del states[200], states[300]
    memory.number = lambda _: 400
    assert [t.address for t in reader.threads(100)] == [400, 500]
    assert not reader.beginning


def test_what_is_no_python_is_said_and_nothing_of_it_is_printed():
    process = subprocess.Popen(["sleep", "60"])
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-", "dump", str(process.pid)],
            input=source_of(stacks.OWN.program), capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        process.kill()
        process.wait()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("no _PyRuntime in what it has mapped: ")
