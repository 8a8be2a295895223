"""The reader of Python's heap on each CPython that this machine has, beside what the program says of itself."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import pytest

from locard.model import heap_words
from locard.model.evidence import Output
from locard.runtime.python import heap
from support import PROGRAMS, pythons, source_of

VERSIONS = pythons()
NEWEST = list(VERSIONS)[-1]


@contextlib.contextmanager
def leaking(how, version=NEWEST):
    """The program, and a question to it."""
    process = subprocess.Popen(
        [VERSIONS[version], "-B", PROGRAMS / "leaking.py", how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def ask():
        process.stdin.write("\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    try:
        process.stdout.readline()
        while ask()["made"] < 5:
            pass
        yield process, ask
    finally:
        process.stdin.close()
        assert process.wait(10) == 0  # it ends as it would have


def grown(pid, seconds=2.0, looks=4, most=5_000_000):
    """The growth of one process, as it runs at a place: source on standard input."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", "heap", str(seconds), str(looks), str(most), str(pid)],
        input=source_of(heap.HEAP.program), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = heap.read((Output(argv=("heap",), stdout=done.stdout.encode()),))
    return found


def names(found):
    return [t.name for t in heap_words.steady(found)]


def of(found, name):
    return next(t for t in found.types if t.name == name and t.trend == "steady")


@pytest.mark.parametrize("version", list(VERSIONS))
def test_a_cache_on_a_method_is_named_with_what_it_keeps(version):
    with leaking("cache", version) as (process, ask):
        before, found, after = ask(), grown(process.pid), ask()
    assert before["collections"][2] == after["collections"][2]  # nothing was collected by a look
    client = of(found, "__main__.Client")
    made = after["made"] - before["made"]
    assert 0.5 * made <= client.counts[-1] - client.counts[0] <= made
    assert of(found, "bytearray").bytes_each > 16384
    assert of(found, "bytearray").per_s == pytest.approx(client.per_s, rel=0.1)
    chain = heap_words.chain(client.holding, client.name)
    assert chain.startswith(
        "__main__.Client <- tuple <- functools._lru_cache_wrapper Client.branch (currsize "
    )
    assert chain.endswith("maxsize None, 0 hits) <- class __main__.Client (branch)")
    assert heap_words.leading(found) is client


@pytest.mark.parametrize("version", list(VERSIONS))
def test_what_fills_and_what_is_freed_is_not_named(version):
    for how in ("bounded", "churn"):
        with leaking(how, version) as (process, ask):
            while ask()["made"] < 40:
                pass
            found = grown(process.pid, 1.5)
        assert heap_words.leading(found) is None, how
        assert not [n for n in names(found) if n.startswith("__main__")], how
        assert found.looks[-1].objects > 1000


def test_while_it_fills_it_is_a_cache_that_fills():
    with leaking("bounded") as (process, _):
        found = grown(process.pid, 2.5, 6)
    assert heap_words.leading(found) is None
    client = next(t for t in found.types if t.name == "__main__.Client")
    assert client.trend == "level"
    assert "nothing grew steadily" in heap_words.headline(found)


CHAINS = {
    "list": ("function", "function <- collections.deque", "module __main__ (BUS)"),
    "dict": ("__main__.Client", "__main__.Client <- dict", "module __main__ (DICT)"),
    "slots": ("__main__.Slotted", "__main__.Slotted <- list", "module __main__ (LIST)"),
    "frozen": ("__main__.Slotted", "__main__.Slotted <- list", "module __main__ (LIST)"),
    "local": (
        "__main__.Client",
        "__main__.Client <- list",
        "_thread._local <- module __main__ (LOCAL)",
    ),
}


@pytest.mark.parametrize("how", list(CHAINS))
@pytest.mark.parametrize("version", list(VERSIONS))
def test_other_holders(version, how):
    name, begin, end = CHAINS[how]
    with leaking(how, version) as (process, _):
        found = grown(process.pid, 1.5)
    grew = of(found, name)
    chain = heap_words.chain(grew.holding, name)
    assert chain.startswith(begin), chain
    assert end in chain
    assert heap_words.leading(found) is not None


@pytest.mark.parametrize("version", list(VERSIONS))
def test_values_that_the_collector_does_not_track(version):
    with leaking("text", version) as (process, _):
        found = grown(process.pid, 1.5)
    text = of(found, "str")
    assert text.bytes_each > 500  # a key and its value of 1,000
    (container,) = [c for c in found.containers if c.trend == "steady"]
    assert (container.name, container.holding.name, container.holding.key) == (
        "dict",
        "__main__",
        "TEXTS",
    )
    assert heap_words.leading(found) is container
    with leaking("growing", version) as (process, _):
        found = grown(process.pid, 1.5)
    (log,) = [t for t in found.texts if t.trend == "steady"]
    assert (log.name, log.holding.name, log.holding.key) == ("bytearray", "__main__", "LOG")
    assert log.bytes_s == pytest.approx(50_000, rel=0.4)


@pytest.mark.parametrize("version", list(VERSIONS))
def test_a_variable_of_a_function_that_runs_is_said_and_is_no_leak(version):
    with leaking("frame", version) as (process, _):
        found = grown(process.pid, 1.5)
    client = of(found, "__main__.Client")
    assert "variable own of work (" in heap_words.chain(client.holding, client.name)
    assert client.holding.thread == "work"
    assert heap_words.leading(found) is None


@pytest.mark.parametrize("version", list(VERSIONS))
def test_circles_with_the_collector_off_are_no_leak_by_a_holder(version):
    with leaking("circles", version) as (process, ask):
        found = grown(process.pid, 1.5)
        assert ask()["gc"] is False
    assert not found.collector_on
    client = next(t for t in found.types if t.name == "__main__.Client")
    assert client.holding.alone
    assert heap_words.leading(found) is None
    assert "collector is off" in heap_words.collector(found)


def test_native_memory_is_told_from_objects():
    with leaking("native") as (process, _):
        found = grown(process.pid, 2)
    assert heap_words.leading(found) is None
    assert "native" in heap_words.headline(found)
    assert "native" in heap_words.memory(found)


def test_what_was_not_walked_is_said_and_nothing_is_claimed():
    with leaking("cache") as (process, _):
        found = grown(process.pid, 0.5, 2, 1000)
    assert found.partial
    assert "bounded" in found.problem
    assert not found.types
    assert "not told what grows" in heap_words.headline(found)


def test_what_is_no_python_is_said():
    process = subprocess.Popen(["sleep", "60"])
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-", "heap", "1", "2", "1000", str(process.pid)],
            input=source_of(heap.HEAP.program), capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        process.kill()
        process.wait()
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "no _PyRuntime in what it has mapped: no CPython, or one without symbols\n"
    )
