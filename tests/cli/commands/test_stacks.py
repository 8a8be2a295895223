"""`locard stacks`: the whole command on real processes, and its screen."""

from __future__ import annotations

import json
import subprocess


def test_groups_the_lock_and_who_holds_it(locard, start):
    program = start("locked.py", stdin=subprocess.PIPE)
    truth = json.loads(program.line)
    done = locard("stacks", f"pid/{program.pid}", "-q")
    assert done.returncode == 1, done.stderr
    assert "finding: lock-contention: " in done.stdout
    lines = done.stdout.splitlines()
    group = next(k for k, text in enumerate(lines) if text.startswith("  3 threads: in futex"))
    assert f"waits for an RLock held by keeper (tid {truth['holder']})" in lines[group]
    assert lines[group + 1].startswith(f"      Service.steps (programs/locked.py:{truth['at']}")
    holder = next(text for text in lines if f"[keeper {truth['holder']} " in text)
    assert "in clock_nanosleep (it sleeps), holds the lock that 3 threads wait for" in holder


def test_json_names_the_owner(locard, start):
    program = start("locked.py", stdin=subprocess.PIPE)
    truth = json.loads(program.line)
    (found,) = locard.json("stacks", f"pid/{program.pid}", "--rounds", "1", "-q")["evidence"]
    owners = {s["tid"]: (s.get("lock") or {}).get("owner") for s in found["facts"][0]["stacks"]}
    assert {owners[t] for t in truth["waiters"]} == {truth["holder"]}
    assert owners[truth["holder"]] is None


def test_without_a_target_it_says_what_to_write(locard):
    done = locard("stacks")
    assert done.returncode == 2
    assert "locard stacks pid/4242" in done.stderr


def test_tasks_with_what_they_await_to_the_end(locard, start):
    program = start("awaiting.py", stdin=subprocess.PIPE)
    done = locard("stacks", f"pid/{program.pid}", "-q")
    text = " ".join(done.stdout.split())
    assert "3 of them wait for one lock, keeper is inside of it" in text
    assert "3 tasks: waits for an asyncio lock; the one task inside of it is keeper" in text
    assert "1 task: awaits 1 task: fetches [keeper]" in text
    assert "(async generator)" in text
    assert "suspended coroutines" not in text


def test_variables_have_no_secrets_and_lines_are_the_targets(locard, start):
    program = start("variables.py", stdin=subprocess.PIPE)
    words = ("stacks", f"pid/{program.pid}", "--locals", "1", "--rounds", "1", "-q")
    shown = locard(*words, "--source").stdout
    assert "charge: text = 'pay'" in shown
    assert "charge: evil = <Evil>" in shown
    assert "| sys.stdin.read()" in shown
    (found,) = locard.json(*words)["evidence"]
    values = dict(found["facts"][0]["stacks"][0]["variables"][0])
    for name in ("card", "password", "api_token"):
        assert values[name].lstrip("'").startswith("<"), values[name]
    assert "s3cr3t" not in values["opts"]
    assert values["number"] == "-7"  # the control: what is no secret is shown
