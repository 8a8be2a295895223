"""The command that watches functions: what it tells as it comes, what it puts in, lists and ends. See also tests/runtime/python."""

from __future__ import annotations

import json
import subprocess
import sys

from watch_here import begin, clean, program, wait_for

FORKS = """
import contextvars, os, sys, time
trace = contextvars.ContextVar("trace_id")
def pay(number):
    return number
def work():
    trace.set("4bf92f3577b34da6a3ce929d0e0e4736")
    while True:
        pay(os.getpid())
        time.sleep(0.02)
children = [os.fork() or work() for _ in range(2)]
print("ready", flush=True)
sys.stdin.read()
for child in children:
    os.kill(child, 9)
"""


def test_the_command_tells_calls_as_lines_and_events(locard):
    with program() as target:
        done = locard(
            "watch",
            f"pid/{target.pid}",
            "__main__:send",
            "-e",
            "-n",
            "2",
            "--locals",
            "--allow",
            "injects",
            "--for",
            "10s",
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("__main__:send  raised") == 2
        assert "hunter2" not in done.stdout + done.stderr
        assert "its code was put back, locard's memory in it is freed" in done.stdout
        done = locard(
            "watch",
            f"pid/{target.pid}",
            "__main__:Order.total",
            "-n",
            "1",
            "-o",
            "jsonl",
            "-q",
            "--allow",
            "injects",
        )
        events = [json.loads(line) for line in done.stdout.splitlines()]
        (call,) = [e for e in events if e["event"] == "call"]
        assert (call["function"], call["return"], call["target"]["currency"]) == (
            "__main__:Order.total",
            7,
            "EUR",
        )
        assert {"ts", "cost_us", "params", "exception", "thread", "trace_id"} <= set(call)


def test_nothing_is_put_in_unless_it_was_allowed(locard):
    with program() as target:
        before = target.ask()
        done = locard("watch", f"pid/{target.pid}", "__main__:pay")
        assert "--allow injects" in done.stdout + done.stderr
        assert target.ask()["threads"] == before["threads"]
        plan = locard(
            "watch", f"pid/{target.pid}", "__main__:pay", "--allow", "injects", "--dry-run"
        )
        assert "injects" in plan.stdout
        assert "260 KiB" in plan.stdout
        assert target.ask()["threads"] == before["threads"]


def test_live_watches_are_listed_and_can_be_ended(locard):
    with program() as target:
        before = target.ask()
        watching = begin(target.pid, "__main__:pay", seconds=60.0, stats=True)
        wait_for(watching, lambda r: r.get("ev") == "on")
        listed = locard("watch", "--list", "-q")
        assert f"pid {target.pid}: __main__:pay  by tester" in listed.stdout
        assert "expires" in listed.stdout
        ended = locard("watch", "--reset", f"pid/{target.pid}", "-q")
        assert f"pid {target.pid}: told to end" in ended.stdout
        after = target.until(lambda t: t["threads"] == before["threads"])
        clean(before, after)
        watching.kill()
        watching.wait()
        watching.stdout.close()


def test_a_pid_may_be_given_as_a_flag(locard):
    with program() as target:
        done = locard(
            "watch", "-p", str(target.pid), "__main__:pay", "-n", "1", "--allow", "injects", "-q"
        )
        assert "__main__:pay  returned" in done.stdout


def test_workers_are_watched_at_once_and_told_apart(locard, start):
    parent = start("-c", FORKS, stdin=subprocess.PIPE)
    done = locard(
        "watch",
        f"pid/{parent.pid}",
        "__main__:pay",
        "-n",
        "2",
        "--allow",
        "injects",
        "-o",
        "jsonl",
        "-q",
        "--for",
        "5s",
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    calls = [e for e in events if e["event"] == "call"]
    assert len({e["pid"] for e in calls}) == 2
    assert all(e["params"]["number"] == e["pid"] for e in calls)
    assert {e["trace_id"] for e in calls} == {"4bf92f3577b34da6a3ce929d0e0e4736"}
    counted = [e for e in events if e["event"] == "function" and e["pid"] == parent.pid]
    assert len(counted) == 1  # the parent, which calls it never


def test_other_peoples_watches_are_not_ended_by_chance(locard):
    done = locard("watch", "--reset")
    assert done.returncode == 2
    assert "others may watch on this machine" in done.stderr


def test_forgotten_words_are_asked_for(locard):
    for words, said in (
        (("watch",), "no TARGET was given"),
        (("watch", "pid/1"), "no function was named"),
        (("watch", "--list", "shop:pay"), "given beside --list"),
    ):
        done = locard(*words)
        assert done.returncode == 2
        assert said in done.stderr


def test_what_was_not_watched_is_no_success(locard):
    with program() as target:
        done = locard("watch", str(target.pid), "__main__:nothing", "--allow", "injects", "-q")
        assert done.returncode == 4
        assert "module __main__ has no nothing" in done.stdout


TWO_LIVES = """
import sys, threading, time
def make(body):
    scope = {}
    exec(body, scope)
    function = scope["pay"]
    function.__module__ = "__main__"
    return function
old = make("def pay(order): return order")
pay = make("def pay(order, amount): return amount")
def work():
    while True:
        pay(7, 3.5), old(1)
        time.sleep(0.02)
threading.Thread(target=work, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def test_an_expression_that_does_not_fit_puts_nothing_in_and_keeps_what_fits(locard):
    with subprocess.Popen(
        [sys.executable, "-c", TWO_LIVES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as target:
        assert target.stdout.readline() == "ready\n"
        words = ("watch", f"pid/{target.pid}", "__main__:pay", "-n", "2", "--allow", "injects")
        done = locard(*words, "--where", "amount > 1")
        assert done.stdout.count("__main__:pay  returned") == 2, done.stdout + done.stderr
        said = " ".join((done.stdout + done.stderr).split())
        assert "another living function of the name is not watched: no amount" in said
        done = locard(*words, "--where", "nosuch > 1", "-o", "json")
        (process,) = json.loads(done.stdout)["evidence"][0]["facts"][0]["processes"]
        assert "no nosuch" in process["refused"], process
        assert process["stopped_ms"] is None, "a thread of it was stopped for nothing"
        target.stdin.close()
