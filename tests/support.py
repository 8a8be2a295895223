"""What tests share: locard as a process, real programs, probes run for real."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import locard
from locard.guard.command import Impact, Wait
from locard.guard.gate import Gate
from locard.model.place import HERE
from locard.transport.reach import open_session

PROGRAMS = Path(__file__).parent / "programs"


class Locard:
    """`locard …` as a user runs it."""

    def argv(self, *words):
        return [sys.executable, "-m", "locard", *map(str, words)]

    def __call__(self, *words, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        if "input" in options:
            del options["stdin"]
        return subprocess.run(
            self.argv(*words), capture_output=True, text=True, timeout=120, check=False, **options
        )

    def json(self, *words, **options):
        done = self(*words, "-o", "json", **options)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


@contextlib.contextmanager
def started(*argv, **options):
    """A real program that has said a line on standard output; ended by its pid."""
    process = subprocess.Popen(
        [sys.executable, *map(str, argv)], stdout=subprocess.PIPE, text=True, **options
    )
    try:
        process.line = process.stdout.readline()
        assert process.line, "the program ended before it was ready"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def run_probe(probe, context, allow: Impact = Impact.SAMPLES, params=None):
    """A probe for real, through gate and transport: its outputs and its facts; `params`: None in an investigation."""
    gate = Gate({"probe": probe.COMMANDS}, allow, cap=Impact.INJECTS, why="")
    outputs = []
    plan = probe.plan(context) if params is None else probe.plan(context, params)
    session = open_session(HERE, lend_stdin=True).open()
    with contextlib.closing(session), contextlib.suppress(StopIteration):
        step = next(plan)
        while True:
            if isinstance(step, Wait):
                time.sleep(step.seconds)
                step = next(plan)
                continue
            output = session.run(gate.admit("probe", step), step.bound_s)
            outputs.append(output)
            step = plan.send(output)
    return outputs, probe.read(outputs)


def children_of(pid: int) -> set[int]:
    """The living children of a process, zombies left out."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                if int(fields[1]) == pid and fields[0] != b"Z":
                    found.add(int(entry.name))
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def wait_until(condition, seconds=20.0):
    """Poll until something is true; a failure to become so fails the test."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.01)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def interpreters():
    """The interpreters of other versions: on PATH, and where pyenv keeps them."""
    found = {}
    kept = [str(p) for p in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))]
    for path in (*(shutil.which(f"python3.{n}") for n in range(6, 16)), *kept):
        if path is None:
            continue
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=False
        ).stdout
        version = ".".join(said.removeprefix("Python ").split(".")[:2])
        if said.startswith("Python 3"):
            found.setdefault(version, path)
    return found or {".".join(map(str, sys.version_info[:2])): sys.executable}


def pythons():
    """CPythons that live processes are looked into with, by version: the oldest known, 3.11 and the newest of 3.8 to 3.13.

    All of them with LOCARD_EVERY_PYTHON, as `make test-pythons` runs them.
    """
    found = {
        v: path
        for v, path in interpreters().items()
        if (3, 8) <= tuple(map(int, v.split("."))) <= (3, 15)
    }
    if os.environ.get("LOCARD_EVERY_PYTHON"):
        return found
    order = sorted(found, key=lambda v: tuple(map(int, v.split("."))))
    wanted = {order[0], order[-1], "3.11"} if order else set()
    return {v: path for v, path in found.items() if v in wanted}


def source_of(program):
    """What is streamed for a program of ours: its files, one behind the other."""
    package = Path(locard.__file__).parent
    return "\n".join((package / name).read_text() for name in program.split("+"))
