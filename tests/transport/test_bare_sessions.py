"""Sessions to places without python3, which a real sh here stands for: turns, bounds, cuts."""

from __future__ import annotations

import os

import pytest

from locard.guard.budget import Budget
from locard.guard.command import Impact, Template
from locard.guard.gate import Gate
from locard.investigate import drive
from locard.model.place import Place
from locard.transport import bootstrap, session, ssh
from scripted_session import Scripted

SLEEP = Template(("sleep", "{seconds:word}"), Impact.READS, 20.0)


@pytest.fixture
def reach():
    """Open a session over an sh that finds no python3; `instead` replaces words of the bootstrap."""
    opened = []

    def begin(**instead):
        nonce = bootstrap.new_nonce()
        words = bootstrap.argv(nonce)[2].replace("command -v python3", "echo")
        words = words.replace("/usr/bin/python3 /usr/local/bin/python3", "/nonexistent")
        if instead.get("timeout") is False:
            words = words.replace("timeout 5 true", "false")
        opened.append(
            session.Session(
                Place("host/bare", "ssh"), ("/bin/sh", "-c", words), nonce,
                explain=ssh.explain, environment={"PATH": os.environ["PATH"]},
            )
        )  # fmt: skip
        there = opened[-1].open()
        assert there.ground.bare
        return there

    yield begin
    session.close_all(opened)


def gate(*templates):
    return Gate({"p": templates}, Impact.READS, cap=Impact.INJECTS, why="")


def permit(*argv, **options):
    template = Template(argv, Impact.READS, 20.0, **options)
    return gate(template).admit("p", template.fill())


def ended(there, *runs):
    while not all(run.ended for run in runs):
        session.wait([there], 5.0)
    return [run.output() for run in runs]


def drive_all(there, commands, budget_s=30.0):
    """The output of each command, asked at once by plans of their own."""

    def plan(command):
        return (yield command)

    driver = drive.Driver(Scripted({}, "host/local"), Budget(budget_s))
    tasks = [
        drive.Task(there, "p", lambda c=c: plan(c), gate(c.template), lambda _t, _c, output: output)
        for c in commands
    ]
    driver.add(*tasks)
    started = sum(isinstance(event, drive.Started) for event in driver.run())
    return tasks, started


def test_who_waits_for_its_turn_is_not_late(reach, monkeypatch):
    monkeypatch.setattr(drive, "_GRACE_S", 0.2)
    short = Template(SLEEP.argv, Impact.READS, 1.0)
    tasks, started = drive_all(reach(), [short.fill(seconds="0.5") for _ in range(4)])
    assert started == 4
    assert [(t.result.exit_code, t.result.problem) for t in tasks] == [(0, "")] * 4


def test_who_waits_when_the_budget_ends_never_runs(reach, tmp_path):
    touch = Template(("touch", "{path:path}"), Impact.READS, 20.0)
    commands = [SLEEP.fill(seconds="9"), touch.fill(path=str(tmp_path / "ran"))]
    there = reach()
    tasks, started = drive_all(there, commands, budget_s=2.9)
    assert started == 2
    assert tasks[1].cut == drive.NO_TIME
    assert tasks[1].result is None
    assert ended(there, there.start(permit("echo", "next"), 5.0))[0].text == "next\n"
    assert not (tmp_path / "ran").exists()


def test_output_that_is_cut_says_so(reach):
    there = reach()
    long, whole = permit("seq", "1", "100000", max_bytes=1000), permit("seq", "1", "2", max_bytes=4)
    outputs = ended(there, *(there.start(p, 5.0) for p in (long, whole)))
    assert [len(o.stdout) for o in outputs] == [1000, 4]
    assert [o.truncated for o in outputs] == [True, False]
    assert [o.problem for o in outputs] == ["cut after 1000 bytes of output", ""]


def test_a_bound_is_never_shorter_over_there(reach):
    there = reach()
    output = there.run(permit("sleep", "1.2"), 1.4)
    assert (output.exit_code, output.problem) == (0, "")
    late = there.run(permit("sleep", "60"), 1.4)
    assert (late.exit_code, late.timed_out) == (None, True)
    assert "stopped after its time bound of 1.4 s" in late.problem


def test_a_bound_that_nothing_holds_there_is_said(reach):
    there = reach(timeout=False)
    first = there.start(permit("sleep", "3"), 0.5)
    second = there.start(permit("echo", "second"), 5.0)
    outputs = ended(there, first, second)
    assert (outputs[0].exit_code, outputs[0].timed_out) == (None, True)
    assert "could not be held there" in outputs[0].problem
    assert "sleep has not ended there yet" in outputs[1].problem
    refused = there.start(permit("echo", "third"), 5.0)
    assert "sleep has not ended there yet" in refused.output().problem
    fourth = refused
    while fourth.output().problem:  # its end frees the way
        session.wait([there], 0.1)
        fourth = there.start(permit("echo", "fourth"), 5.0)
        if not fourth.ended:
            ended(there, fourth)
    assert fourth.output().text == "fourth\n"
    assert first.output().exit_code is None


def test_who_comes_after_one_that_is_late_waits(reach):
    there = reach()
    first = there.start(permit("sleep", "1"), 5.0)
    first.end = {"code": None, "kind": "bound", "why": "not waited for", "took": 0.1}
    second = there.start(permit("echo", "second"), 5.0)
    assert second.waits
    assert ended(there, second)[0].text == "second\n"
    assert first.output().problem == "not waited for"


def test_a_bare_session_sleeps_while_nothing_comes(reach, monkeypatch):
    monkeypatch.setattr(session, "_BEAT_S", 0.1)
    there = reach()
    running = there.start(permit("sleep", "1"), 5.0)
    waits = 0
    while not running.ended:
        session.wait([there], 5.0)
        waits += 1
    assert waits <= 6  # both streams bring their end, perhaps in pieces
    there.start(permit("python3", "-", program="kernel/_threads.py"), 5.0)
    assert session.wait([there], 5.0)  # what was refused is told at once, too
    assert session.wait([there], 0.3) == []


def test_who_is_withdrawn_never_runs(reach, tmp_path):
    there = reach()
    first = there.start(permit("sleep", "0.5"), 5.0)
    second = there.start(permit("touch", str(tmp_path / "ran")), 5.0)
    assert (first.waits, second.waits) == (False, True)
    assert second.output().duration_s == 0.0
    second.stop("not any more")
    third = there.start(permit("echo", "third"), 5.0)
    outputs = ended(there, first, second, third)
    assert [o.problem for o in outputs] == ["", "not any more", ""]
    assert outputs[2].text == "third\n"
    assert not (tmp_path / "ran").exists()
