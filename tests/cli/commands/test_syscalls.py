"""`locard syscalls`: the whole command on a real process."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from observing_support import working

from locard.report.schema import schema
from support import needs_root

pytestmark = needs_root

_LOOP = "ready()\nwhile True: time.sleep(0.01); os.getppid()"


@pytest.fixture
def target():
    with working(_LOOP) as found:
        found._process.stdin.write("go\n")
        found._process.stdin.flush()
        yield f"pid/{found.pid}"


def test_the_screen_ranks_by_wall_time(locard, target):
    done = locard("syscalls", target, "--for", "1s", "-q")
    if "not observed" in done.stdout:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    head = next(k for k, line in enumerate(lines) if "by call, wall time first" in line)
    assert lines[head + 2].split()[-2].endswith("nanosleep") or "nanosleep" in lines[head + 2]
    assert "observed: eBPF" in done.stdout


def test_events_and_json(locard, target):
    found = locard.json("syscalls", target, "--for", "1s", "--events", "getppid")
    (fact,) = found["evidence"][0]["facts"]
    if fact["fact"] == "NotObserved":
        pytest.skip(fact["why"])
    assert [c["what"] for c in fact["calls"]] == ["getppid"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--for", "soon"), "how long to observe"),
        (("--events", "openat,nosuch"), "no system call 'nosuch'"),
        (("--slow", "-1"), "from 0s to 600s"),
    ],
)
def test_what_cannot_be_is_said(locard, target, words, why):
    done = locard("syscalls", target, *words)
    assert done.returncode == 2
    assert why in done.stderr


def test_a_target_is_asked_for(locard):
    done = locard("syscalls")
    assert done.returncode == 2
    assert "locard syscalls pid/4242" in done.stderr


def test_that_no_call_was_slow_is_said(locard, target):
    done = locard("syscalls", target, "--for", "1s", "--slow", "5s", "-q")
    if "not observed" in done.stdout:
        pytest.skip(done.stdout)
    assert "no call took 5.00 s or longer, of " in done.stdout
    slow = locard("syscalls", target, "--for", "1s", "--slow", "5ms", "-q").stdout
    assert "no call took" not in slow
    assert "slow calls:" in slow


_KERNEL = (
    "waits", "syscalls", "libcalls", "trace opens", "trace off-cpu", "trace tcp-connect --engine bcc",
    "syscalls --engine strace --allow pauses",
)  # fmt: skip


@pytest.mark.parametrize("command", _KERNEL)
def test_a_dry_run_as_json_is_what_the_schema_says(locard, target, command):
    checked = Draft202012Validator(schema())
    name, *words = command.split()
    of = [words.pop(0)] if name == "trace" else []
    done = locard(name, *of, target, *words, "--dry-run", "-o", "json", "-q")
    plan = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    checked.validate(plan)
    assert plan["kind"] == "plan"
    assert plan["commands"]
    assert not checked.is_valid({k: v for k, v in plan.items() if k != "commands"})
