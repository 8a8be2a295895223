"""Runs one target or many: a bounded number of places at once, each surveyed, asked, concluded, left."""

from __future__ import annotations

import contextlib
import secrets
import shlex
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from locard.cluster import debug
from locard.guard.command import Impact
from locard.guard.policy import read_policy
from locard.guard.redact import Redactor
from locard.investigate import compare, probing, start
from locard.investigate.drive import Done, Driver, Quiet, Task
from locard.investigate.means import Record
from locard.ledger.state import StateDirectory
from locard.model.errors import LocardError, NoShellError, UnreachableError
from locard.model.fleet import Fleet, Member
from locard.model.place import cluster_flags
from locard.model.record_entries import PlaceUnreached, ResidueLeft, Surveyed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from locard.guard.command import Command
    from locard.guard.policy import Policy
    from locard.investigate.drive import Event
    from locard.investigate.places import Asked
    from locard.investigate.run import Investigator
    from locard.investigate.start import Instance, Options, Sessions
    from locard.ledger.state import Begun
    from locard.model.evidence import Output
    from locard.model.investigation import Investigation, Question
    from locard.model.place import Place

_MOMENT_S = 1.5
_DEBUG = "cluster/debug"
AT_ONCE = 24  # places with a session, so that memory and this machine stay bounded


def investigate(
    asked: Sequence[Asked],
    question: Question,
    every: Sessions,
    options: Options,
    told: Callable[[Member], None] = lambda _: None,
) -> Fleet:
    """Ask all targets, recorded in one incident; who cannot be reached is a member with its reason.

    `told` hears of each member as soon as it is done. Raises StateError where nothing can be recorded.
    """
    with contextlib.ExitStack() as stack:
        crew = _Crew(question, every, options, told, read_policy(), stack)
        crew.queue.extend(asked)
        crew.run()
        members = tuple(sorted(crew.members, key=lambda m: crew.order(m, asked)))
        found, over, why_not = compare.differences(members)
        unrecorded = crew.record.problem if crew.record else ""
        crew.partial += [unrecorded] if unrecorded else []
        return Fleet(
            incident=crew.begun.incident if crew.begun else "",
            ledger=str(crew.begun.ledger.path) if crew.begun and not unrecorded else None,
            members=members,
            differences=found,
            compared=over,
            not_compared=why_not,
            partial=tuple(dict.fromkeys(crew.partial)),
            unrecorded=unrecorded,
            left=tuple(crew.left),
        )


def investigate_one(
    asked: Asked, question: Question, every: Sessions, options: Options
) -> Investigation:
    """One target; raises the LocardError that says why it could not be looked at."""
    with contextlib.ExitStack() as stack:
        crew = _Crew(question, every, options, lambda _: None, read_policy(), stack)
        crew.queue.append(asked)
        crew.run()
        if crew.errors:
            raise crew.errors[0]
        (member,) = crew.members
        assert member.found is not None  # noqa: S101 - without an error there is one
        return member.found


@dataclass(slots=True, eq=False)
class _Debug:
    """A debug container that is being made beside a container without a shell."""

    asked: Asked
    instance: Instance
    name: str
    outputs: list[Output] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Crew:
    """What is at work, what waits, and what has come of it."""

    question: Question
    every: Sessions
    options: Options
    told: Callable[[Member], None]
    policy: Policy
    stack: contextlib.ExitStack
    queue: deque[Asked] = field(default_factory=deque)
    active: dict[int, tuple[Asked, Instance]] = field(default_factory=dict)  # by id of the instance
    investigators: dict[int, tuple[Investigator, Asked, Instance]] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    errors: list[LocardError] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    debugged: bool = False  # one is made, in one pod, and no second one
    slow: set[Place] = field(default_factory=set)  # said to keep us waiting
    begun: Begun | None = None
    record: Record | None = None
    unreached: list[PlaceUnreached] = field(default_factory=list)  # before there was a record

    def run(self) -> None:
        """Until every target has been asked; an interrupt ends all, what came is kept."""
        driver = Driver(self.every.home, self.options.budget)
        try:
            self._fill(driver)
            self._handle(driver)
        except KeyboardInterrupt:
            self.partial.append("interrupted by the user")
            self.queue.clear()
            self._end(driver)
        for investigator, asked, instance in list(self.investigators.values()):
            self._conclude(investigator, asked, instance)

    def _end(self, driver: Driver) -> None:
        """Let what observes tell what it has counted; a second interrupt ends that, too."""
        try:
            if driver.interrupt():
                words = "for what was counted; a second interrupt ends it at once"
                self.options.listener.waits(words)
            self._handle(driver)
        except KeyboardInterrupt:
            driver.interrupt(at_once=True)
            self._handle(driver)

    def _handle(self, driver: Driver) -> None:
        for event in driver.run():
            if isinstance(event, Quiet):
                for investigator, _, _ in self.investigators.values():
                    investigator.tick()
                self._tell_waits()
                continue
            self._take(driver, event)
            self._fill(driver)

    def _tell_waits(self) -> None:
        """Say once of each place that it takes longer than a moment to open."""
        for asked, instance in self.active.values():
            session = instance.session
            if (
                session is not None
                and session.opening_s > _MOMENT_S
                and asked.place not in self.slow
            ):
                self.slow.add(asked.place)
                self.options.listener.waits(f"for a login at {asked.place.ref}, and an answer")

    def _take(self, driver: Driver, event: Event) -> None:
        assert not isinstance(event, Quiet)  # noqa: S101 - looked at before
        label = event.task.label
        if isinstance(label, _Debug):
            if isinstance(event, Done):
                self._enter_debug(driver, label)
            return
        if isinstance(label, start.Instance):
            if isinstance(event, Done):
                self._begin(driver, label, event)
            return
        investigator = label[0]
        investigator.handle(event)
        if isinstance(event, Done) and investigator.done:
            self._conclude(*self.investigators[id(investigator)])

    def _fill(self, driver: Driver) -> None:
        """Open further sessions while there is room."""
        while self.queue and len(self.active) + len(self.investigators) < AT_ONCE:
            asked = self.queue.popleft()
            question = replace(self.question, ref=asked.ref)
            instance = start.Instance(question, asked.place, asked.there, layers=asked.layers)
            if asked.closed:
                self._fail(asked, instance, _closed(asked))
                continue
            try:
                instance.session = self.every.to(asked.place)
            except LocardError as error:
                self._fail(asked, instance, error)
                continue
            self.active[id(instance)] = (asked, instance)
            driver.add(start.survey_task(instance, self.policy))

    def _begin(self, driver: Driver, instance: Instance, event: Done) -> None:
        asked, _ = self.active.pop(id(instance))
        start.take_survey(instance, event.task)
        if instance.error is not None:
            if not self._make_debug(driver, asked, instance):
                self._fail(asked, instance, instance.error)
            return
        assert instance.context is not None  # noqa: S101 - it has been surveyed
        self._begin_record(start.name_of(instance.context.target))
        assert self.begun is not None  # noqa: S101 - it has just begun
        assert self.record is not None  # noqa: S101 - as above
        investigator = start.begin(
            instance, self.begun, self.record, self.options, (driver, self.every.home)
        )
        self.investigators[id(investigator)] = (investigator, asked, instance)
        if investigator.done:  # every probe was skipped
            self._conclude(investigator, asked, instance)

    def _make_debug(self, driver: Driver, asked: Asked, instance: Instance) -> bool:
        """Make a debug container where one is needed and allowed; what it leaves is said and recorded first."""
        image = self.options.debug_image
        if not image or self.debugged or not isinstance(instance.error, NoShellError):
            return False
        self.debugged = True
        self._begin_record(asked.place.name.partition("/")[0])
        assert self.record is not None  # noqa: S101 - it has just begun
        place = asked.place
        self.options.listener.warned(f"{asked.label}: making {debug.RESIDUE}")
        self.record.write("residue", ResidueLeft(_DEBUG, place.ref, (debug.RESIDUE,), undone=None))
        made = _Debug(asked, instance, f"locard-{secrets.token_hex(3)}")

        def keep(_: Task, command: Command, output: Output) -> Output:
            made.outputs.append(output)
            self._record_command(place, command, output)
            return output

        where: dict[str, tuple[str, ...]] = {
            n: (v,) if (v := place.option(n)) else () for n in ("namespace", "context")
        }
        gate = self.policy.gate(
            {_DEBUG: debug.COMMANDS}, Impact.INJECTS, target=asked.ref,
            user=self.every.home.identity.user, place=place,
        )  # fmt: skip
        pod, container = place.option("pod"), place.option("container")
        driver.add(
            Task(
                self.every.home, _DEBUG,
                lambda: debug.plan(where, pod, container, made.name, image),
                gate, keep, label=made,
            )
        )  # fmt: skip
        return True

    def _enter_debug(self, driver: Driver, made: _Debug) -> None:
        """Go on from the debug container, or say why there is none."""
        place = made.asked.place
        found = debug.read(made.outputs, place.option("pod"), made.name)
        if found.left:
            what = f"{debug.RESIDUE} ({made.name})"
            if self.record is not None:
                self.record.write("residue", ResidueLeft(_DEBUG, place.ref, (what,), undone=False))
            self.left.append(f"at {place.ref}: {debug.RESIDUE} ({made.name})")
        if found.outcome != "runs":
            why = f"{found.outcome}: {found.says}"
            error = UnreachableError(
                f"{made.asked.label} was not entered",
                f"a debug container was not to be had, {why}",
                "Look from its node: --on host/NODE.",
            )
            self._fail(made.asked, made.instance, error)
            return
        options = tuple((k, v) for k, v in place.options if k != "container")
        beside = replace(place, options=(*options, ("container", made.name)))
        self.queue.append(replace(made.asked, place=beside))
        self._leave_place(made.instance)
        self._fill(driver)

    def _record_command(self, place: Place, command: Command, output: Output) -> None:
        """One command that makes or looks at a debug container, with what it printed."""
        assert self.begun is not None  # noqa: S101 - residue is recorded before
        assert self.record is not None  # noqa: S101 - as above
        home, redactor = self.every.home, Redactor(self.begun.key)
        clean, redacted = probing.redacted(output, redactor, command.template.output)
        item = probing.ran(
            command,
            clean,
            home.identity,
            redactor,
            place=home.place,
            digest=None,
            redactions=redacted,
        )
        body = Surveyed(place.ref, (item,))
        self.record.write("surveyed", body, (clean.stdout, clean.stderr))

    def _begin_record(self, name: str) -> None:
        if self.begun is not None:
            return
        state = StateDirectory.find(self.options.state)
        name = name if self.options.alone else "fleet"
        self.begun = self.stack.enter_context(state.begin(name, self.options.incident))
        self.record = Record(self.begun.ledger, self.options.listener)
        for missed in self.unreached:
            self._record_unreached(missed)

    def _fail(self, asked: Asked, instance: Instance, error: LocardError) -> None:
        self.errors.append(error)
        shown = Redactor.passing().credentials  # the reason may quote what came from there
        missed = PlaceUnreached(asked.place, error.why, error.next_step)
        if self.record is None:
            self.unreached.append(missed)
        else:
            self._record_unreached(missed)
        what, why = shown(error.what), shown(error.why)
        next_step = shown(f"{error.next_step} {error.command}".strip())
        self._leave(Member(asked.label, asked.place.ref, None, what, why, next_step), instance)

    def _record_unreached(self, missed: PlaceUnreached) -> None:
        assert self.begun is not None  # noqa: S101 - whoever calls has begun the record
        assert self.record is not None  # noqa: S101 - as above
        kept = Redactor(self.begun.key).text
        clean = replace(missed, why=kept(missed.why), next_step=kept(missed.next_step))
        self.record.write("unreached", clean)

    def _conclude(self, investigator: Investigator, asked: Asked, instance: Instance) -> None:
        self.investigators.pop(id(investigator), None)
        found = investigator.conclude()
        self.partial += [
            f"{asked.label}: {p}" if not self.options.alone else p for p in found.partial
        ]
        self._leave(
            Member(asked.label, asked.place.ref, found, options=asked.place.options), instance
        )

    def _leave(self, member: Member, instance: Instance) -> None:
        """Done with a place: its session goes, unless another target is there."""
        self.members.append(member)
        self._leave_place(instance)
        self.told(member)

    def _leave_place(self, instance: Instance) -> None:
        busy = [i for _, i in self.active.values()] + [i for _, _, i in self.investigators.values()]
        still = any(i.session is instance.session for i in busy)
        if not still and instance.session is not None:
            self.every.leave(instance.place)

    def order(self, member: Member, asked: Sequence[Asked]) -> int:
        """The order in which they were named."""
        return next((n for n, a in enumerate(asked) if a.label == member.ref), len(asked))


def _closed(asked: Asked) -> LocardError:
    where = shlex.join(cluster_flags(asked.place.options))
    return UnreachableError(
        f"{asked.label} was not entered",
        asked.closed,
        "See what may be done there:",
        command=f"locard doctor {shlex.quote(asked.ref)} {where}".strip(),
    )
