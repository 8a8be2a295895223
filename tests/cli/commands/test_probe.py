"""`locard probe`: one probe by name, its parameters, and the list of them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from shell_hosts import make_ssh


@pytest.fixture
def sleeper():
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def test_the_list_says_what_each_takes(locard):
    assert "[--rounds N]" in locard("probe").stdout
    probes = {p["name"]: p for p in locard.json("probe")["probes"]}
    rounds = probes["thread-states"]["params"]["properties"]["rounds"]
    assert rounds["type"] == "integer"
    assert rounds["default"] == 6


def test_a_parameter_is_passed_and_recorded(locard, sleeper):
    target = f"pid/{sleeper.pid}"
    document = locard.json("probe", "thread-states", target, "--rounds", "2", "--pause-s", "0.05")
    (evidence,) = document["evidence"]
    assert evidence["params"] == [["rounds", "2"], ["pause_s", "0.05"]]
    states = next(f for f in evidence["facts"] if f["fact"] == "ThreadStates")
    assert states["rounds"] == 2
    again = locard.json("incident", "show", "last")
    assert again["evidence"][0]["params"] == evidence["params"]


def test_the_answer_as_text(locard, sleeper):
    done = locard("probe", "kernel/thread-states", f"pid/{sleeper.pid}", "-q")
    assert done.returncode == 0, done.stderr
    assert "kernel/thread-states: 1 thread" in done.stdout
    assert "the same by hand" in done.stdout


def test_a_probe_at_another_host(locard, tmp_path):
    env = {**os.environ, "LOCARD_SSH": str(make_ssh(tmp_path))}
    document = locard.json("probe", "memory", "host/web-1", env=env)
    assert [e["probe"] for e in document["evidence"]] == ["memory"]
    assert document["evidence"][0]["place"] == "host/web-1"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("thread-state", "pid/1"), "did you mean thread-states"),
        (("thread-states",), "no TARGET"),
        (("thread-states", "pid/1", "--rounds", "0"), "from 1 to 200"),
        (("thread-states", "pid/1", "--rounds", "many"), "from 1 to 200"),
        (("cpu", "host/local", "--rounds", "3"), "unrecognized"),
    ],
)
def test_what_cannot_be_asked(locard, words, why):
    done = locard("probe", *words)
    assert done.returncode == 2
    assert why in done.stderr


def test_each_of_several_targets_is_answered(locard, sleeper, start):
    """Beside what sets them apart: the answers themselves, as text and as JSON."""
    other = start("-c", "print('ready', flush=True); import time; time.sleep(600)")
    words = ("probe", "kernel/thread-states", f"pid/{sleeper.pid}", f"pid/{other.pid}")
    done = locard(*words, "-q")
    assert done.stdout.count("kernel/thread-states: 1 thread") == 2, done.stdout
    members = locard.json(*words)["members"]
    found = [f for m in members for e in m["evidence"] for f in e["facts"]]
    assert [f["fact"] for f in found].count("ThreadStates") == 2
