"""Sets an investigation up: places, targets, gates, incident and key; then runs it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard import catalogue
from locard.guard.command import Impact
from locard.guard.policy import read_policy
from locard.guard.redact import Redactor
from locard.investigate import probing, survey
from locard.investigate.drive import Done, Driver, Task
from locard.investigate.run import Investigator, Listener, Means, Record, drive
from locard.ledger.state import StateDirectory
from locard.model.evidence import Layer
from locard.model.place import HERE
from locard.transport import session as sessions
from locard.transport.reach import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.guard.budget import Budget
    from locard.guard.command import Command
    from locard.guard.gate import Gate
    from locard.guard.policy import Policy
    from locard.model.errors import LocardError
    from locard.model.evidence import Output
    from locard.model.investigation import Investigation, Question
    from locard.model.place import Place
    from locard.model.target import Context, Target
    from locard.transport.session import Session


@dataclass(frozen=True, slots=True)
class Options:
    """How to run it, apart from what was asked. `began` is Unix time."""

    state: str | None
    incident: str | None
    listener: Listener
    budget: Budget
    began: float
    layers: tuple[Layer, ...] = tuple(Layer)


@dataclass(slots=True, eq=False)
class Instance:
    """One target at one place: what was asked of it, and what was found before any probe."""

    question: Question
    place: Place
    ref: str  # the target as it is called at the place
    session: Session
    gate: Gate | None = None
    context: Context | None = None
    asked: list[tuple[Command, Output]] | None = None
    error: LocardError | None = None


@dataclass(slots=True)
class Sessions:
    """The sessions of one command: one to each place, and one to this machine."""

    home: Session
    by_place: dict[Place, Session]

    def to(self, place: Place, *, opening_s: float = 15.0) -> Session:
        """The session to a place, begun when it is first asked for; raises LocardError."""
        if place.local:
            return self.home
        if place not in self.by_place:
            self.by_place[place] = open_session(place, opening_s=opening_s)
        return self.by_place[place]


@contextlib.contextmanager
def opened(*, lend_stdin: bool = False) -> Iterator[Sessions]:
    """Sessions for a command; all are closed at its end, and with them all that they run."""
    every = Sessions(open_session(HERE, lend_stdin=lend_stdin).open(), {})
    try:
        yield every
    finally:
        sessions.close_all([every.home, *every.by_place.values()])


def prepare(
    instances: Sequence[Instance], home: Session, budget: Budget, policy: Policy | None = None
) -> None:
    """Find each target at its place: `context` and `gate` are set, or `error` says why not."""
    policy = policy or read_policy()
    driver = Driver(home, budget)
    for instance in instances:
        driver.add(_survey(instance, policy))
    for event in driver.run():
        if isinstance(event, Done):
            instance = event.task.label
            instance.context, instance.error = event.task.result, event.task.error
            if instance.context is None and instance.error is None:
                instance.error = _cut(instance, event.task.cut)


def _survey(instance: Instance, policy: Policy) -> Task:
    """The first task at a place. Its gate is made once it is known who we are there."""
    asked: list[tuple[Command, Output]] = []
    instance.asked = asked

    def treat(_: Task, command: Command, output: Output) -> Output:
        asked.append((command, output))
        return output

    def make():  # type: ignore[no-untyped-def] # a plan
        ground = instance.session.ground
        assert ground is not None  # noqa: S101 - a task begins when its session is open
        task.gate = instance.gate = policy.gate(
            declared(),
            Impact.parse(instance.question.allow),
            target=instance.question.ref,
            user=ground.user,
            place=instance.place,
        )
        return survey.survey(instance.question, instance.ref, instance.place, ground)

    nothing = policy.gate({}, Impact.READS, target=instance.question.ref, user="")
    task = Task(instance.session, survey.NAME, make, nothing, treat, label=instance)
    return task


def _cut(instance: Instance, why: str) -> LocardError:
    from locard.model.errors import TargetNotFoundError  # noqa: PLC0415 - rarely

    return TargetNotFoundError(
        f"cannot look at {instance.question.ref}", why or "its place did not answer", "Try again."
    )


def declared() -> dict[str, tuple]:  # type: ignore[type-arg] # of templates
    """What every probe declares, by what the gate calls it."""
    probes = {probing.key(e): probing.load(e).COMMANDS for e in catalogue.entries("probe")}
    return {**probes, survey.NAME: survey.COMMANDS}


def investigate(
    instances: Sequence[Instance], every: Sessions, options: Options
) -> tuple[Investigation, ...]:
    """Run them together, recorded in a new incident or in the one named; raises StateError.

    Each instance has been prepared, and has a context.
    """
    ready = [i for i in instances if i.context is not None and i.gate is not None]
    state = StateDirectory.find(options.state)
    name = _name(ready[0].context.target) if ready[0].context else ""
    with state.begin(name, options.incident) as begun:
        record = Record(begun.ledger, options.listener)
        driver = Driver(every.home, options.budget)
        investigators = []
        for instance in ready:
            investigators.append(
                _begin(instance, Redactor(begun.key), record, driver, every, options, begun.incident,
                       alone=len(ready) == 1)
            )  # fmt: skip
        drive(driver, investigators)
        return tuple(i.conclude() for i in investigators)


def _begin(
    instance: Instance,
    redactor: Redactor,
    record: Record,
    driver: Driver,
    every: Sessions,
    options: Options,
    incident: str,
    *,
    alone: bool,
) -> Investigator:
    context, gate = instance.context, instance.gate
    assert context is not None  # noqa: S101 - `investigate` took those that have both
    assert gate is not None  # noqa: S101 - as above
    means = Means(
        gate,
        options.budget,
        redactor,
        record,
        options.listener,
        driver,
        instance.session,
        every.home,
        options.began,
        judge_at_once=alone,
    )
    for lack in _lacking(context):
        options.listener.warned(lack)
    question = replace(
        instance.question,
        logs=tuple(map(redactor.text, instance.question.logs)),
        metrics=tuple(map(redactor.text, instance.question.metrics)),
    )
    investigator = Investigator(incident, question, _redacted(context, redactor), means)
    items, blobs = _surveyed(instance, redactor)
    investigator.add_tasks(items, blobs, options.layers)
    return investigator


def _surveyed(instance: Instance, redactor: Redactor):  # type: ignore[no-untyped-def]
    """The provenance of what was asked to find the target, and the outputs that it cites."""
    items, blobs = [], []
    for command, output in instance.asked or ():
        clean, count = probing.redacted(output, redactor, command.template.output)
        prepared = instance.session.prepare(command)
        items.append(
            probing.ran(
                command,
                clean,
                instance.session.identity,
                redactor,
                place=instance.place.ref,
                digest=prepared.program_digest,
                redactions=count,
            )
        )
        blobs += [clean.stdout, clean.stderr]
    return tuple(items), tuple(blobs)


def _name(target: Target) -> str:
    return target.name if target.kind != "pid" or not target.processes else target.processes[0].comm


def shown(context: Context) -> Context:
    """The context as a screen may show it where nothing is recorded."""
    return _redacted(context, Redactor.passing())


def _redacted(context: Context, redactor: Redactor) -> Context:
    """The context with the command lines of the target cleaned, as they go into the record."""
    cleaned = tuple(
        replace(p, cmdline=redactor.argv(p.cmdline), comm=redactor.text(p.comm))
        for p in context.target.processes
    )
    return replace(context, target=replace(context.target, processes=cleaned))


def _lacking(context: Context) -> list[str]:
    """Which capability is missing, and what still works without it."""
    uid = context.ground.uid if context.ground else -1
    others = {p.uid for p in context.target.processes} - {uid}
    if context.root or not others:
        return []
    lack = (
        "not root, and the target runs as another user: its stacks, open files and kernel states "
        "cannot be read (CAP_SYS_PTRACE is missing); logs, metrics and the host still are. "
        "To unlock: run as root or as that user."
    )
    return [lack]
