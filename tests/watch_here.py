"""The watch of Python functions as it runs beside its target, in a process of its own, and the program that it watches."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import forky_lab
import locard
from locard.runtime.python import watch
from support import PROGRAMS, pythons, source_of

VERSIONS = pythons() | forky_lab.interpreters()
EVERY = forky_lab.marked(VERSIONS)
DEFAULTS = {
    "most": 1000, "depth": 2, "where": "", "show": "", "only": False, "before": False, "stats": False, "callers": False,
    "locals": False, "tree": False, "share": 0.5, "seconds": 20.0, "others": False,
}  # fmt: skip


class Program:
    """tests/programs/watched.py, running."""

    def __init__(self, python, *words):
        self.process = subprocess.Popen(
            [python, "-B", "-W", "ignore::DeprecationWarning", PROGRAMS / "watched.py", *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.pid = json.loads(self.process.stdout.readline())["ready"]

    def ask(self, line=""):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def until(self, held, seconds=20.0):
        """The truth once something of it holds."""
        end = time.monotonic() + seconds
        while True:
            found = self.ask()
            if held(found):
                return found
            assert time.monotonic() < end, found
            time.sleep(0.05)


@contextlib.contextmanager
def program(python=sys.executable, *words):
    """The program; at the end it has ended as it would have, and said nothing on standard error."""
    running = Program(python, *words)
    try:
        running.until(lambda t: min(t["calls"].get(k, 0) for k in ("rounds", "lives")) > 2)
        yield running
    finally:
        running.process.stdin.close()
        said = running.process.stderr.read()
        assert running.process.wait(10) == 0, said
        assert not said


def begin(pid, *spec, prefix=(), python=sys.executable, **asked):
    """The watch, as a process whose lines can be read."""
    folder = Path(locard.__file__).parent
    parts = {name: str(folder / path) for name, path in watch.AGENT}
    head = f"import os\nPARTS = {{n: os.open(p, os.O_RDONLY) for n, p in {parts!r}.items()}}\n"
    settings = json.dumps({**DEFAULTS, "spec": list(spec), **asked})
    process = subprocess.Popen(
        [*prefix, python, "-I", "-S", "-", "watch", settings, str(pid)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"USER": "tester"},
    )  # fmt: skip
    process.stdin.write(head + source_of(watch.READER))
    process.stdin.close()
    return process


def lines(process):
    """What it says, to its end."""
    with process:
        return [json.loads(line) for line in process.stdout]


def run(pid, *spec, **asked):
    """Every line of a watch."""
    return lines(begin(pid, *spec, **asked))


def wait_for(process, held):
    """The lines up to the first for which something holds."""
    found = []
    for line in process.stdout:
        found.append(json.loads(line))
        if held(found[-1]):
            return found
    raise AssertionError(found)


def counts(rows):
    """{name of the function: {state: calls}} over all intervals."""
    names = {r["function"]: r["name"] for r in rows if "function" in r}
    found = {name: {} for name in names.values()}
    for row in rows:
        if row.get("ev") == "stats":
            for state, sums in row["states"].items():
                of = found[names[row["w"]]]
                of[state] = of.get(state, 0) + sums[0]
    return found


def clean(before, after):
    """Nothing is left in the target."""
    assert after["changed"] == []
    assert after["errors"] == {}
    assert after["touched"] == {}
    assert (after["threads"], after["fds"]) == (before["threads"], before["fds"])
