"""Sets an investigation up: places, targets, gates, incident and key; then runs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from locard import catalogue
from locard.guard import capability, sudo
from locard.guard.command import Impact
from locard.guard.policy import read_policy
from locard.guard.redact import Redactor
from locard.investigate import ground_probes, probing, survey
from locard.investigate.drive import Done, Driver, Task
from locard.investigate.means import Listener, Means, Record
from locard.investigate.run import Investigator
from locard.model.evidence import Layer
from locard.model.place import HERE, Place
from locard.transport import session as sessions
from locard.transport.reach import open_session

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.catalogue import Entry
    from locard.guard.budget import Budget
    from locard.guard.command import Command, Template, Wait
    from locard.guard.gate import Gate
    from locard.guard.policy import Policy
    from locard.ledger.state import Begun
    from locard.model.errors import LocardError
    from locard.model.evidence import Output, Ran
    from locard.model.investigation import Question
    from locard.model.place import Ground
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
    only: tuple[str, dict[str, str]] | None = None  # one probe by its key, with its parameters
    debug_image: str = (
        ""  # for a container beside one without a shell; empty where none may be made
    )
    alone: bool = True  # one target: what is found is said at once


@dataclass(slots=True, eq=False)
class Instance:
    """One target at one place: what was asked of it, and what was found before any probe."""

    question: Question
    place: Place
    ref: str  # the target as it is called at the place
    session: Session | None = None
    gate: Gate | None = None
    context: Context | None = None
    asked: list[tuple[Command, Output]] | None = None
    error: LocardError | None = None
    layers: tuple[Layer, ...] = tuple(Layer)


@dataclass(slots=True)
class Sessions:
    """The sessions of one command: one to each place, and one to this machine."""

    home: Session
    by_place: dict[Place, Session]
    _left: list[Session] = field(default_factory=list)  # told to end, not waited for

    def to(self, place: Place, *, opening_s: float = 15.0) -> Session:
        """The session to a place, begun when it is first asked for; raises LocardError."""
        if place.local:
            return self.home
        if place not in self.by_place:
            self.by_place[place] = open_session(place, opening_s=opening_s)
        return self.by_place[place]

    def leave(self, place: Place) -> None:
        """Close the session to a place, and with it all that runs there; this machine's stays."""
        session = self.by_place.pop(place, None)
        if session is not None:
            session.shut()
            self._left.append(session)
        for other in [s for s in self._left if s.gone]:
            other.close()
            self._left.remove(other)

    def close(self) -> None:
        """Close all of them."""
        sessions.close_all([self.home, *self.by_place.values(), *self._left])


def try_place(place: Place) -> tuple[Ground, dict[str, Any]]:
    """What is at a place, and what it lets us do: tried there. Raises LocardError."""
    with opened() as every:
        session = every.to(place).open()
        ground = session.ground
        assert ground is not None  # noqa: S101 - it is open
        gate = read_policy().reading_gate(
            {capability.NAME: capability.COMMANDS}, place.ref, ground.user, place
        )
        if ground.bare:
            return ground, {}
        tried: dict[str, Any] = {}
        for template in capability.COMMANDS:
            command = template.fill()
            output = session.run(gate.admit(capability.NAME, command), command.bound_s)
            tried |= capability.read_tried(output.text)
        return session.ground or ground, tried


@contextlib.contextmanager
def opened(home: Session | None = None) -> Iterator[Sessions]:
    """Sessions for a command; all are closed at its end, and with them all that they run.

    `home`: the one to this machine, where it was begun before.
    """
    every = Sessions((home or open_session(HERE)).open(), {})
    try:
        yield every
    finally:
        every.close()


def prepare(
    instances: Sequence[Instance], home: Session, budget: Budget, policy: Policy | None = None
) -> None:
    """Find each target at its place: `context` and `gate` are set, or `error` says why not."""
    policy = policy or read_policy()
    driver = Driver(home, budget)
    for instance in instances:
        driver.add(survey_task(instance, policy))
    for event in driver.run():
        if isinstance(event, Done):
            take_survey(event.task.label, event.task)


def take_survey(instance: Instance, task: Task) -> None:
    """What a survey found, or why it found nothing."""
    instance.context, instance.error = task.result, task.error
    if instance.context is None and instance.error is None:
        instance.error = _cut(instance, task.cut)


def survey_task(instance: Instance, policy: Policy) -> Task:
    """The first task at a place. Its gate is made once it is known who we are there."""
    session = instance.session
    assert session is not None  # noqa: S101 - it was begun before
    asked: list[tuple[Command, Output]] = []
    instance.asked = asked

    def treat(_: Task, command: Command, output: Output) -> Output:
        asked.append((command, output))
        if command.template == sudo.LIST and session.ground is not None:
            listed = sudo.of_output(output)
            session.ground = replace(session.ground, sudo=listed.text, sudo_notes=listed.notes)
        return output

    def make() -> Generator[Command | Wait, Output, Context]:
        ground = session.ground
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
    task = Task(session, survey.NAME, make, nothing, treat, label=instance)
    return task


def _cut(instance: Instance, why: str) -> LocardError:
    from locard.model.errors import TargetNotFoundError  # noqa: PLC0415 - rarely

    return TargetNotFoundError(
        f"cannot look at {instance.question.ref}", why or "its place did not answer", "Try again."
    )


def declared() -> Mapping[str, tuple[Template, ...]]:
    """What every probe declares, by what the gate calls it."""
    return _Declared({probing.key(e): e for e in catalogue.entries("probe")})


class _Declared(Mapping[str, "tuple[Template, ...]"]):
    """Imports a probe when it is asked for: a command that runs one pays for one."""

    def __init__(self, probes: dict[str, Entry]) -> None:
        """`probes`: the entries by their keys."""
        self._probes = probes

    def __getitem__(self, name: str) -> tuple[Template, ...]:
        """Raises KeyError."""
        if name == survey.NAME:
            return survey.COMMANDS
        return probing.load(self._probes[name]).COMMANDS

    def __iter__(self) -> Iterator[str]:
        """By folder and name; the survey last."""
        yield from (*self._probes, survey.NAME)

    def __len__(self) -> int:
        """The probes and the survey."""
        return len(self._probes) + 1


def begin(
    instance: Instance,
    begun: Begun,
    record: Record,
    options: Options,
    run_by: tuple[Driver, Session],
) -> Investigator:
    """Queue the probes of an instance that has been surveyed."""
    context, gate, session = instance.context, instance.gate, instance.session
    driver, home = run_by
    redactor, incident = Redactor(begun.key), begun.incident
    assert context is not None  # noqa: S101 - it has been surveyed
    assert gate is not None  # noqa: S101 - as above
    assert session is not None  # noqa: S101 - as above
    means = Means(
        gate,
        options.budget,
        redactor,
        record,
        options.listener,
        driver,
        session,
        home,
        options.began,
        judge_at_once=options.alone,
    )
    for lack in _lacking(context):
        options.listener.warned(lack)
    question = replace(
        instance.question,
        logs=tuple(map(redactor.text, instance.question.logs)),
        metrics=tuple(map(redactor.text, instance.question.metrics)),
    )
    for note in context.ground.sudo_notes if context.ground else ():
        options.listener.warned(f"{instance.place.ref}: {note}")
    investigator = Investigator(incident, question, _redacted(context, redactor), means)
    items, blobs = _surveyed(instance, redactor)
    layers = tuple(layer for layer in options.layers if layer in instance.layers)
    investigator.add_tasks(items, blobs, layers, options.only)
    return investigator


def _surveyed(instance: Instance, redactor: Redactor) -> tuple[tuple[Ran, ...], tuple[bytes, ...]]:
    """The provenance of what was asked to find the target, and the outputs that it cites."""
    items: list[Ran] = []
    blobs: list[bytes] = []
    session = instance.session
    assert session is not None  # noqa: S101 - it has been surveyed
    target = instance.context.target if instance.context else None
    pids = frozenset(target.pids if target else ())
    for command, printed in instance.asked or ():
        is_table = command.template is ground_probes.PROCESS_TABLE
        output = ground_probes.only(printed, pids) if is_table else printed
        if command.template == sudo.LIST:  # its `--password\\=x` would not be known for what it is
            output = replace(output, stdout=sudo.unescaped(output.stdout))
        clean, count = probing.redacted(output, redactor, command.template.output)
        prepared = session.prepare(command)
        items.append(
            probing.ran(
                command,
                clean,
                session.identity_of(output.argv),
                redactor,
                place=instance.place,
                digest=prepared.program_digest,
                redactions=count,
            )
        )
        blobs += [clean.stdout, clean.stderr]
    return tuple(items), tuple(blobs)


def name_of(target: Target) -> str:
    """What an incident about a target is called."""
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
