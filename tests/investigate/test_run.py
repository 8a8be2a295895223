"""The investigator itself: what it does when a probe or the record fails."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from locard import catalogue
from locard.guard.budget import Budget
from locard.guard.command import Impact, Template
from locard.guard.gate import Gate
from locard.guard.redact import Redactor
from locard.investigate import means as means_of
from locard.investigate import run, survey
from locard.investigate.drive import Driver, Quiet
from locard.investigate.replay import replay
from locard.ledger.store import Ledger
from locard.model.evidence import Layer, Scope
from locard.model.investigation import Question
from locard.model.place import HERE
from locard.model.target import Context, Process, Target
from locard.transport.reach import open_session

ECHO = Template(("echo", "{what:word}"), Impact.READS, 5.0)
TOUCH = Template(("echo", "touched", "{pid:pid}"), Impact.READS, 5.0)
COMMANDS = (ECHO, TOUCH)


class Told:
    """A listener that remembers."""

    def __init__(self):
        self.lines = []

    def began(self, layer, probe):
        self.lines.append(("began", probe))

    def grew(self, layer, probe, headline):
        self.lines.append(("grew", probe))

    def stored(self, evidence, headline, *, recorded):
        self.lines.append(("stored", evidence.id, recorded))

    def skipped(self, layer, probe, skip):
        self.lines.append(("skipped", probe))

    def found(self, finding):
        self.lines.append(("found", finding.rule))

    def waits(self, text):
        pass

    def warned(self, text):
        self.lines.append(("warned", text))


def probe(plan):
    """A probe module with the given plan; it reads no facts."""
    module = ModuleType("a_probe")
    module.COMMANDS = COMMANDS
    module.applies = lambda _: None
    module.scope = lambda _: Scope()
    module.plan = plan
    module.read = lambda _: ()
    return module


@pytest.fixture
def investigate(monkeypatch, tmp_path):
    """Investigate with one probe in the host layer and no other."""

    def begin(plan, budget_s=30.0, processes=()):
        monkeypatch.setitem(sys.modules, "a_probe", probe(plan))
        entry = catalogue.Entry("probe", "a-probe", "a_probe", "host", "")
        monkeypatch.setattr(
            catalogue,
            "entries",
            lambda kind, layer=None: (entry,) if (kind, layer) == ("probe", Layer.HOST) else (),
        )
        monkeypatch.setattr(catalogue, "entry", lambda _kind, _name, _layer=None: entry)
        told = Told()
        ledger = Ledger.create(tmp_path / "x.ledger")
        declared = {"host/a-probe": COMMANDS, survey.NAME: survey.COMMANDS}
        gate = Gate(declared, Impact.READS, cap=Impact.INJECTS, why="")
        budget = Budget(budget_s)
        home = open_session(HERE).open()
        driver = Driver(home, budget)
        redactor = Redactor(b"k" * 16)
        record = means_of.Record(ledger, told)
        means = means_of.Means(
            gate, budget, redactor, record, told, driver, home, home, time.time()
        )
        target = Target("host/local", "host", "local", "here", processes)
        context = Context(target, ground=home.ground)
        with ledger, contextlib.closing(home):
            investigator = run.Investigator("x", Question("host/local"), context, means)
            investigator.add_tasks()
            for event in driver.run():
                if not isinstance(event, Quiet):
                    investigator.handle(event)
                    finished = investigator.done  # may queue the last look
            assert finished
            done = investigator.conclude()
        return done, told

    return begin


def test_commands_are_announced_run_and_kept(investigate, tmp_path):
    def plan(_):
        first = yield ECHO.fill(what="one")
        yield ECHO.fill(what=first.text.strip() + "-two")

    done, told = investigate(plan)
    assert [r.argv[-1] for r in done.evidence[0].ran] == ["one", "one-two"]
    assert ("stored", "e1", True) in told.lines
    with Ledger.open(tmp_path / "x.ledger") as ledger:
        kinds = [e.kind for e in ledger.entries()]
        assert kinds == ["opened", "place", "command", "command", "evidence", "place", "closed"]
        assert replay(ledger).investigation.evidence == done.evidence


def test_a_value_that_no_template_takes_costs_its_probe_only(investigate):
    def plan(_):
        yield ECHO.fill(what="good")
        yield ECHO.fill(what="--bad")

    done, _ = investigate(plan)
    assert [r.argv[-1] for r in done.evidence[0].ran] == ["good"]
    assert "is no word" in done.evidence[0].problem
    assert done.partial


def test_an_undeclared_command_is_refused_and_said(investigate):
    other = Template(("touch", "{p:path}"), Impact.READS, 5.0)

    def plan(_):
        yield other.fill(p="/tmp/never-made")

    done, told = investigate(plan)
    assert "declares no such command" in done.evidence[0].ran[0].problem
    assert any(kind == "warned" for kind, *_ in told.lines)


def test_what_was_recorded_by_a_newer_version_costs_only_that_entry(
    investigate, tmp_path, monkeypatch
):
    def plan(_):
        yield ECHO.fill(what="one")

    investigate(plan)
    monkeypatch.undo()
    with Ledger.open(tmp_path / "x.ledger") as ledger:
        again = replay(ledger).investigation
    assert again.evidence[0].facts == ()
    assert "cannot be read by this version" in again.evidence[0].problem


@pytest.mark.parametrize("later", [0, 1])
def test_a_process_that_took_the_number_of_another_is_not_touched(investigate, later):
    pid = os.getpid()
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    found = Process(pid, 1, ticks - later, time.time(), 0, "python", ("python",))

    def plan(_):
        yield TOUCH.fill(pid=pid)

    done, _ = investigate(plan, processes=(found,))
    (ran,) = done.evidence[0].ran
    assert ran.argv[-1] == str(pid)
    assert (ran.exit_code, ran.problem) == (
        (None, f"process {pid} has ended") if later else (0, "")
    )
