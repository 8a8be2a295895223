"""The driver: dialogues, lanes, bounds and ends, with sessions that answer from a script."""

from __future__ import annotations

import pytest

from locard.guard.budget import Budget
from locard.guard.command import Impact, Template, Wait
from locard.guard.gate import Gate
from locard.investigate.drive import INTERRUPTED, Began, Done, Driver, Grew, Started, Task
from locard.model.errors import TargetNotFoundError, UnreachableError
from scripted_session import Scripted

ASK = Template(("ask", "{what:word}"), Impact.READS, 5.0)
OTHER = Template(("other",), Impact.READS, 5.0)
HERE_TOO = Template(("here",), Impact.READS, 5.0, here=True)
DEEP = Template(("deep",), Impact.INJECTS, 5.0)
GATE = Gate({"p": (ASK, OTHER, HERE_TOO, DEEP)}, Impact.READS, cap=Impact.INJECTS, why="")


def task(session, plan, **options):
    options.setdefault("treat", lambda _task, _command, output: output)
    return Task(session, "p", plan, GATE, **options)


def run(driver, *tasks):
    driver.add(*tasks)
    return list(driver.run())


@pytest.fixture
def home():
    return Scripted({"here": b"at home"}, "host/local")


def test_a_plan_is_sent_the_answer_of_each_command(home):
    session = Scripted({"ask": b"one", "other": b"two"})

    def plan():
        first = yield ASK.fill(what="a")
        second = yield OTHER.fill()
        return first.text, second.text

    t = task(session, plan)
    events = run(Driver(home, Budget(30)), t)
    assert t.result == ("one", "two")
    assert isinstance(next(e for e in events if not hasattr(e, "running")), Began)
    assert [a for a, _, _ in session.asked] == [("ask", "a"), ("other",)]


def test_what_runs_here_runs_at_home(home):
    session = Scripted({})

    def plan():
        return (yield HERE_TOO.fill()).text

    t = task(session, plan)
    run(Driver(home, Budget(30)), t)
    assert t.result == "at home"
    assert session.asked == []


def test_plans_run_side_by_side_and_no_more_than_the_lanes(home):
    session = Scripted({"ask": [b"x", b"y", b""]})
    active, most = set(), 0

    def plan():
        yield ASK.fill(what="a")

    driver = Driver(home, Budget(30), lanes=2)
    driver.add(*(task(session, plan) for _ in range(5)))
    for event in driver.run():
        if isinstance(event, Began):
            active.add(id(event.task))
        elif isinstance(event, Done):
            active.discard(id(event.task))
        most = max(most, len(active))
    assert most == 2
    assert len(session.asked) == 5


def test_a_task_waits_for_those_before_it(home):
    session = Scripted({"ask": [b"x", b""], "other": b"o"})
    order = []

    def plan(name, template, **values):
        def make():
            order.append(name)
            yield template.fill(**values)

        return make

    first = task(session, plan("first", ASK, what="a"))
    second = task(session, plan("second", OTHER), after=(first,))
    events = run(Driver(home, Budget(30)), second, first)
    assert order == ["first", "second"]
    done = [e.task for e in events if isinstance(e, Done)]
    assert done == [first, second]


def test_waits_of_many_plans_pass_together(home):
    session = Scripted({})

    def plan():
        yield Wait(0.3)

    tasks = [task(session, plan) for _ in range(8)]
    budget = Budget(30)
    run(Driver(home, budget, lanes=8), *tasks)
    assert all(t.took_s >= 0.3 for t in tasks), "each waited its time"
    assert budget.spent_s < 8 * 0.3, "and not one after the other"


def test_growth_is_told_while_it_runs(home):
    session = Scripted({"ask": [b"a", b"b", b""]})

    def plan():
        return (yield ASK.fill(what="x")).text

    t = task(session, plan)
    driver = Driver(home, Budget(30))
    driver.add(t)
    seen = [bytes(e.running.out) for e in driver.run() if isinstance(e, Grew)]
    assert seen == [b"a", b"ab"]
    assert t.result == "ab"


def test_an_interrupt_keeps_what_came(home):
    session = Scripted({"ask": [b"half", None]})
    outputs = []

    def plan():
        yield ASK.fill(what="x")
        raise AssertionError("it was cut before")

    def keep(_task, _command, output):
        outputs.append(output)
        return output

    t, never = task(session, plan, treat=keep), task(session, plan)
    driver = Driver(home, Budget(30), lanes=1)
    driver.add(t, never)
    for event in driver.run():
        if isinstance(event, Grew):
            driver.interrupt()
    assert (t.cut, t.skipped) == (INTERRUPTED, False)
    assert outputs[0].stdout == b"half"
    assert outputs[0].problem == INTERRUPTED
    assert never.skipped
    assert session.stopped == [INTERRUPTED]


class Mute(Scripted):
    """A place that does not end what it is asked to end."""

    def stop(self, run, why, *, at_once=False):
        self.stopped.append((why, at_once))


TELLS = Template(("ask", "{what:word}"), Impact.READS, 60.0, ends="interrupted")


@pytest.mark.parametrize("at_once", [True, False])
def test_what_could_tell_is_waited_for_until_the_second_interrupt(home, monkeypatch, at_once):
    monkeypatch.setattr("locard.investigate.drive._GRACE_S", 0.1)
    monkeypatch.setattr("locard.investigate.drive._ENDING_S", 0.1)
    session, answers = Mute({"ask": [b"half", None]}), []
    gate = Gate({"p": (TELLS,)}, Impact.READS, cap=Impact.READS, why="")

    def plan():
        yield TELLS.fill(what="x")

    t = Task(session, "p", plan, gate, lambda _t, _c, output: answers.append(output) or output)
    driver = Driver(home, Budget(30))
    driver.add(t)
    for event in driver.run():
        if isinstance(event, Grew):
            assert driver.interrupt(), "it could tell"
            if at_once:
                assert not driver.interrupt(at_once=True), "and is not waited for any more"
    assert session.stopped[0] == (INTERRUPTED, False)
    assert ((INTERRUPTED, True) in session.stopped) == at_once
    assert [(a.stdout, a.problem) for a in answers] == [(b"half", INTERRUPTED)]
    assert t.cut == INTERRUPTED


def test_the_budget_cuts_bounds_and_skips_what_has_not_begun(home):
    session = Scripted({"ask": b"x"})

    def plan():
        yield ASK.fill(what="x")

    t = task(session, plan)
    run(Driver(home, Budget(3.0)), t)
    assert session.asked[0][1] <= 3.0
    late = task(session, plan)
    run(Driver(home, Budget(0.5)), late)
    assert late.skipped
    assert "budget" in late.cut


def test_what_a_plan_may_not_do_costs_its_task_only(home):
    session = Scripted({"ask": b"x"})

    def refused():
        yield DEEP.fill()

    def misfit():
        yield ASK.fill(what="--option")

    def lost():
        raise TargetNotFoundError("it", "is gone", "Look elsewhere.")
        yield

    def good():
        return (yield ASK.fill(what="x")).text

    tasks = [task(session, plan) for plan in (refused, misfit, lost, good)]
    run(Driver(home, Budget(30)), *tasks)
    assert "--allow injects" in tasks[0].refused[0].next_step
    assert "is no word" in tasks[1].cut
    assert tasks[2].error.what == "it"
    assert tasks[3].result == "x"
    assert all(t.done for t in tasks)


def test_a_place_that_does_not_open_skips_its_tasks_with_its_reason(home):
    session = Scripted({}, state="closed")
    session.error = UnreachableError("host/x was not reached", "it is down", "Wait.")
    t = task(session, lambda: iter(()))
    run(Driver(home, Budget(30)), t)
    assert t.skipped
    assert t.error is session.error


def test_a_place_that_does_not_end_a_run_is_not_waited_for(home, monkeypatch):
    monkeypatch.setattr("locard.investigate.drive._GRACE_S", 0.1)
    session = Scripted({"ask": [b"begun", None]})
    short = Template(("ask", "{what:word}"), Impact.READS, 0.2)
    gate = Gate({"p": (short,)}, Impact.READS, cap=Impact.READS, why="")

    def plan():
        return yield_text((yield short.fill(what="x")))

    def yield_text(output):
        return output.text, output.timed_out

    t = Task(session, "p", plan, gate, lambda _t, _c, output: output)
    run(Driver(home, Budget(30)), t)
    assert t.result == ("begun", True)
    assert session.stopped == ["no end after its time bound of 0.2 s"]


def test_keys_go_with_what_is_about_processes(home):
    session = Scripted({"ask": b"x"})

    def plan():
        yield ASK.fill(what="x")

    t = task(session, plan, keys=lambda _command: ((7, 100),))
    events = run(Driver(home, Budget(30)), t)
    assert session.asked[0][2] == ((7, 100),)
    assert any(isinstance(e, Started) for e in events)


COSTLY = Template(("ask", "{what:word}"), Impact.READS, 60.0, streams=True, most_cpu=0.5)


@pytest.mark.parametrize(("cost", "stopped"), [(9.0, True), (0.001, False)])
def test_what_costs_too_much_is_ended_and_kept(home, monkeypatch, cost, stopped):
    monkeypatch.setattr("locard.guard.governor.SETTLES_S", 0.05)
    last = [None] if stopped else [b""]
    session = Scripted({"ask": [b"came", cost, *last]})
    gate = Gate({"p": (COSTLY,)}, Impact.READS, cap=Impact.READS, why="")

    def plan():
        output = yield COSTLY.fill(what="x")
        return output.text, output.problem

    t = Task(session, "p", plan, gate, lambda _t, _c, output: output)
    run(Driver(home, Budget(30)), t)
    assert t.result[0] == "came"
    assert ("allowed are 50%" in t.result[1]) is stopped


class Deaf(Scripted):
    """It goes on for ten looks after it was told to stop."""

    told, looks = (), 10

    def stop(self, run, why, *, at_once=False):
        self.told = (*self.told, (run, why))

    def pump(self):
        self.looks -= bool(self.told)
        if self.looks == 0:
            super().stop(*self.told[0])
        return super().pump()


def test_a_place_is_told_once_to_stop(home, monkeypatch):
    monkeypatch.setattr("locard.guard.governor.SETTLES_S", 0.0)
    session = Deaf({"ask": [b"came", 9.0, None]})
    gate = Gate({"p": (COSTLY,)}, Impact.READS, cap=Impact.READS, why="")

    def plan():
        yield COSTLY.fill(what="x")

    t = Task(session, "p", plan, gate, lambda _t, _c, output: output)
    run(Driver(home, Budget(30)), t)
    assert session.looks <= 0
    assert len(session.told) == 1
