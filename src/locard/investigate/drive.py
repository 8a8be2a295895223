"""Drives many plans at many places in one thread: each waits for one output or for one moment.

A plan is a generator of steps (a Command, or a Wait) that is sent each Command's Output. The Driver
starts at most `lanes` tasks at a place at once, in the order in which they were added, and gives what
happens as events. Nothing else may block: who handles an event adds further tasks and returns.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from locard.guard.command import Command, Wait
from locard.guard.governor import Governor
from locard.model.errors import LocardError, RefusedError
from locard.model.evidence import INTERRUPTED, Output
from locard.transport import session as sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from locard.guard.budget import Budget
    from locard.guard.gate import Gate
    from locard.probe import Step
    from locard.transport.running import Running
    from locard.transport.session import Session

LANES = 8  # tasks at one place at once: most only wait for the end of what they observe
PLACES = 64  # with tasks at once
NO_TIME = "the time budget ran out"
_RESERVE_S = 1.0  # of the budget, for the conclusions
_NO_TIME_S = 0.2
_GRACE_S = 3.0  # for a place to say that a bound has ended a run
_ENDING_S = 6.0  # more for what is asked to end by itself: far/serve.py
_POLL_S = 0.5


@dataclass(slots=True, eq=False)
class Task:
    """One plan at one place. `make` gives the plan when a lane is free: then what it needs is known.

    `name` is what the gate knows its commands by. `after` have to be done before it begins.
    """

    session: Session
    name: str
    make: Callable[[], Generator[Step, Output, Any]]
    gate: Gate
    treat: Callable[[Task, Command, Output], Output]  # what the plan is sent, such as redacted
    keys: Callable[[Command], tuple[tuple[int, int], ...]] = lambda _: ()
    after: tuple[Task, ...] = ()
    label: Any = None  # whose it is: for who handles the events
    result: Any = None  # what the plan returned
    cut: str = ""  # why it did not come to its end
    refused: list[RefusedError] = field(default_factory=list)
    error: LocardError | None = None  # which the plan raised
    skipped: bool = False  # it never began
    done: bool = False
    began: float = 0.0
    took_s: float = 0.0
    plan: Generator[Step, Output, Any] | None = None
    running: Running | None = None
    last: Running | None = None  # whose output was given last
    due: float | None = None


@dataclass(frozen=True, slots=True)
class Began:
    """A task has a lane now; nothing of it has run."""

    task: Task


@dataclass(frozen=True, slots=True)
class Started:
    """A command of a task runs at its place."""

    task: Task
    running: Running


@dataclass(frozen=True, slots=True)
class Grew:
    """More of its output has come."""

    task: Task
    running: Running


@dataclass(frozen=True, slots=True)
class Done:
    """A task has ended: with its plan, or cut short (`cut`), or it never began (`skipped`)."""

    task: Task


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing has happened for a moment."""


Event = Began | Started | Grew | Done | Quiet


class Driver:
    """One thread, one poll, many plans."""

    def __init__(
        self,
        home: Session,
        budget: Budget,
        *,
        governor: Governor | None = None,
        lanes: int = LANES,
        places: int = PLACES,
    ) -> None:
        """`home` is this machine: what a template says to run `here` runs there."""
        self._home = home
        self._budget = budget
        self._governor = governor or Governor()
        self._lanes = lanes
        self._places = places
        self._waiting: list[Task] = []
        self._active: list[Task] = []
        self._by_run: dict[int, Task] = {}

    def add(self, *tasks: Task) -> None:
        """Queue tasks; they begin as lanes become free, in this order."""
        self._waiting.extend(tasks)

    def run(self) -> Iterator[Event]:
        """Until every task is done. On KeyboardInterrupt call `interrupt`, then go on with `run`."""
        while self._waiting or self._active:
            yield from self._begin()
            yield from self._wait()
            yield from self._go_on()
            yield Quiet()

    def interrupt(self, why: str = INTERRUPTED, *, at_once: bool = False) -> bool:
        """Cut every task: what came is kept, what waits never begins.

        What can tell what it has counted is waited for, which is so where True comes back; `at_once`: nothing is.
        """
        tells = False
        for task in self._waiting:
            task.cut, task.skipped = why, True
        for task in self._active:
            task.cut = task.cut or why
            run = task.running
            if run is None or run.ended:
                continue
            tells = tells or run.tells
            run.stop(why, at_once=at_once)
            if at_once:
                run.end = {"code": None, "kind": "stop", "took": run.ran_s, "why": why}
        return tells and not at_once

    # -- beginnings ------------------------------------------------------------------------

    def _begin(self) -> Iterator[Event]:
        for task in list(self._waiting):
            if task.skipped or task.session.state == "closed" or self._late():
                self._waiting.remove(task)
                yield self._skip(task)
                continue
            if task.session.state != "open" or not all(t.done for t in task.after):
                continue
            busy = {id(t.session) for t in self._active}
            mine = sum(t.session is task.session for t in self._active)
            if mine >= self._lanes or (not mine and len(busy) >= self._places):
                continue
            self._waiting.remove(task)
            self._active.append(task)
            task.began = time.monotonic()
            yield Began(task)
            yield from self._step(task, first=True)

    def _skip(self, task: Task) -> Done:
        task.done = task.skipped = True
        task.error = task.session.error
        task.cut = task.cut or (task.error.why if task.error else NO_TIME)
        return Done(task)

    def _late(self) -> bool:
        return self._budget.left_s <= _RESERVE_S

    # -- steps -----------------------------------------------------------------------------

    def _step(
        self, task: Task, answer: Output | None = None, *, first: bool = False
    ) -> Iterator[Event]:
        """Go on until the plan waits for an output or a moment, or ends."""
        while not task.cut:
            try:
                if first:
                    task.plan, first = task.make(), False
                step = self._next(task, answer)
            except StopIteration as end:
                task.result = end.value
                break
            except RefusedError as error:  # a value that no template takes: this task only
                task.cut = f"{error.what}: {error.why}"
                break
            except LocardError as error:
                task.error = error
                break
            if self._budget.left_s <= _NO_TIME_S:
                task.cut = NO_TIME
                break
            if isinstance(step, Wait):
                task.due = time.monotonic() + self._budget.bound(step.seconds)
                return
            answer = self._start(task, step)
            if answer is None and task.running is not None:
                yield Started(task, task.running)
                return
        yield self._end(task)

    @staticmethod
    def _next(task: Task, answer: Output | None) -> Step:
        assert task.plan is not None  # noqa: S101 - `make` gave it
        return next(task.plan) if answer is None else task.plan.send(answer)

    def _start(self, task: Task, command: Command) -> Output | None:
        """Start a command; its output at once where it did not start."""
        session = self._home if command.template.here else task.session
        try:
            permit = task.gate.admit(task.name, command)
        except RefusedError as error:
            task.refused.append(error)
            # As it would have run, and as --dry-run shows it.
            output = replace(not_run(command, str(error)), argv=session.prepare(command).argv)
            return task.treat(task, command, output)
        keys = () if command.template.here else task.keys(command)
        task.last = None
        task.running = session.start(permit, self._budget.bound(command.bound_s), keys=keys)
        if task.running.ended:
            output, task.running = task.running.output(), None
            return task.treat(task, command, output)
        self._by_run[id(task.running)] = task
        return None

    def _end(self, task: Task) -> Done:
        if task.plan is not None:
            task.plan.close()
        if task in self._active:
            self._active.remove(task)
        task.done = True
        task.running = None
        task.took_s = time.monotonic() - task.began
        return Done(task)

    # -- waiting ---------------------------------------------------------------------------

    def _wait(self) -> Iterator[Event]:
        """Wait for the next thing that happens at any place."""
        now = time.monotonic()
        due = min((t.due for t in self._active if t.due is not None), default=now + _POLL_S)
        if (left_s := self._budget.left_s - _NO_TIME_S) > 0:
            due = min(due, now + left_s)
        every = {id(s): s for s in self._sessions()}
        for running in sessions.wait(every.values(), max(0.0, min(due - now, _POLL_S))):
            task = self._by_run.get(id(running))
            if task is None or task.running is not running:
                continue
            if not running.ended:
                yield Grew(task, running)
                continue
            yield from self._answer(task, running)

    def _answer(self, task: Task, running: Running) -> Iterator[Event]:
        del self._by_run[id(running)]
        task.running, task.last = None, running
        output = running.output()
        if task.cut:
            output = replace(output, exit_code=None, problem=output.problem or task.cut)
        answer = task.treat(task, running.permit.command, output)
        yield from self._step(task, answer)

    def _sessions(self) -> Iterator[Session]:
        yield self._home
        for task in (*self._active, *self._waiting):
            yield task.session

    def _go_on(self) -> Iterator[Event]:
        """Tasks whose moment has come, and those that were cut while they waited for one."""
        now = time.monotonic()
        for task in list(self._active):
            if task.due is not None and (task.due <= now or task.cut):
                task.due = None
                yield from self._step(task)
            elif task.running is None and task.due is None and task.cut:
                yield self._end(task)
            elif task.running is not None and task.running.ended:
                yield from self._answer(task, task.running)
            elif task.running is not None:
                run = task.running
                if why := self._governor.over(run, now):
                    run.stop(why)
                if run.waits:
                    self._shorten(task, run)
                grace_s = _GRACE_S + run.tells * _ENDING_S
                late = run.ran_s > run.bound_s + grace_s
                if task.cut == INTERRUPTED:
                    late = late or now > run.stopped_at + grace_s
                if late and run.session.state == "open":  # it does not keep its word
                    why = task.cut or f"no end after its time bound of {run.bound_s:.1f} s"
                    run.stop(why)
                    run.end = {"code": None, "kind": "bound", "took": run.ran_s, "why": why}
                    yield from self._answer(task, run)

    def _shorten(self, task: Task, run: Running) -> None:
        """Of what waits its turn at a place, what is left of the budget is the bound."""
        if self._budget.left_s > _NO_TIME_S:
            run.bound_s = self._budget.bound(run.bound_s)
        elif not task.cut:
            task.cut = NO_TIME
            run.stop(NO_TIME)


def not_run(command: Command, why: str) -> Output:
    """The output of a command that did not start."""
    return Output(command.argv, b"", exit_code=None, started=time.time(), problem=why)
