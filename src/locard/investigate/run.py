"""One investigation, live: probes of all layers at one place, spoken in order, recorded at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from locard import __version__, catalogue
from locard.investigate import probing, resolve, survey
from locard.investigate.conclude import Closed, Opened, conclude, judge
from locard.investigate.drive import NO_TIME, Began, Done, Grew, Quiet, Started, Task
from locard.model import params
from locard.model.codec import encode
from locard.model.evidence import INTERRUPTED, Layer, Status
from locard.model.finding import Case
from locard.model.headline import headline
from locard.model.investigation import Investigation, ProbeRun, Timings
from locard.model.record_entries import CommandStarted, PlaceOpened, ResidueLeft, Surveyed
from locard.model.target import Skip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.catalogue import Entry
    from locard.guard.command import Command
    from locard.guard.redact import Redactor
    from locard.investigate.drive import Event
    from locard.investigate.means import Means
    from locard.model.evidence import Evidence, Output, Ran
    from locard.model.investigation import Question
    from locard.model.place import Ground
    from locard.model.target import Context
    from locard.probe import Probe
    from locard.transport.running import Running

_PATIENCE_S = 3.0  # for which a later layer waits until an earlier one has spoken


@dataclass(slots=True, eq=False)
class _Ask:
    """One probe of the plan, in the order of the method, until it has spoken."""

    entry: Entry
    layer: Layer
    probe: Probe
    id: str
    params: Any = None  # of its PARAMS; None for the defaults
    task: Task | None = None
    outputs: list[Output] = field(default_factory=list)
    items: list[Ran] = field(default_factory=list)
    said: ProbeRun | None = None  # what became of it
    evidence: Evidence | None = None
    skip: Skip | None = None
    recorded: bool = False
    spoken: bool = False
    told: int = 0  # bytes of a stream that the listener was told of


class Investigator:
    """Asks the probes about one target at one place and keeps their record."""

    def __init__(self, incident: str, question: Question, context: Context, means: Means) -> None:
        """Nothing runs before `add_tasks`. `context` is as it may be recorded: redacted."""
        self._means = means
        ground = means.session.ground or context.ground
        self._opened = Opened(
            __version__,
            incident,
            question,
            context.target,
            means.session.identity,
            time.time(),
            context.place.ref,
            _recorded(ground, means.redactor) if ground else None,
            place_options=context.place.options,
        )
        self._context = replace(context, first=context.target)
        self._asks: list[_Ask] = []
        self._partial: list[str] = []
        self._known: set[tuple[str, str]] = set()
        self._first_finding: float | None = None
        self._processes = {p.pid: p for p in context.target.processes}
        self._ended: list[int] | None = None
        self._last: Task | None = None  # the last look at the target's processes
        self._interrupted = False
        self._investigation = 0  # the number of the entry with which it began

    # -- the plan --------------------------------------------------------------------------

    def add_tasks(
        self,
        surveyed: Sequence[Ran] = (),
        outputs: tuple[bytes, ...] = (),
        layers: tuple[Layer, ...] = tuple(Layer),
        only: tuple[str, dict[str, str]] | None = None,
    ) -> None:
        """Record the beginning and queue every probe of the layers, in the order of the method.

        `only`: one probe by its key, with its parameters as texts.
        """
        self._opened = replace(self._opened, layers=layers)
        self._investigation = self._means.record.write("opened", self._opened)
        session = self._means.session
        self._write_place()
        if surveyed:
            self._write("surveyed", Surveyed(session.place.ref, tuple(surveyed)), outputs)
        number = 0
        following: tuple[Task, ...] = ()
        for layer in layers:
            if layer is Layer.HOST and self._context.target.pids:
                following = (self._follow(),)
            for entry in catalogue.entries("probe", layer):
                if only is not None and probing.key(entry) != only[0]:
                    continue
                probe = probing.load(entry)
                if only is None and not probing.in_investigation(probe, entry):
                    continue
                ask = _Ask(entry, layer, probe, "")
                if only is not None:
                    ask.params = probing.params_of(probe, only[1])
                self._asks.append(ask)
                skip = probe.applies(self._context)
                if skip is not None:
                    self._skip(ask, skip)
                    continue
                number += 1
                ask.id = f"e{number}"
                ask.task = self._task(ask, following)
                self._means.driver.add(ask.task)
        self._speak()

    def _task(self, ask: _Ask, after: tuple[Task, ...]) -> Task:
        return Task(
            self._means.session,
            probing.key(ask.entry),
            lambda: probing.plan_of(ask.probe, self._context, ask.params),
            self._means.gate,
            lambda _, command, output: self._keep_output(ask, command, output),
            keys=self._keys,
            after=after,
            label=(self, ask),
        )

    def _follow(self) -> Task:
        """Look at the target's processes anew: what began meanwhile is looked at from here on."""
        target, ground = self._context.target, self._context.ground
        assert ground is not None  # noqa: S101 - the context came of a survey
        task = Task(
            self._means.session,
            survey.NAME,
            lambda: survey.follow(target, ground),
            self._means.gate,
            lambda _task, _command, output: output,
            label=(self, None),
        )
        self._means.driver.add(task)
        return task

    def _keys(self, command: Command) -> tuple[tuple[int, int], ...]:
        """The processes that a command is about, as they were when the target was found."""
        known = self._processes
        return tuple((pid, known[pid].start_ticks) for pid in command.pids if pid in known)

    # -- events ----------------------------------------------------------------------------

    def handle(self, event: Event) -> None:
        """Take what happened to one of our tasks."""
        if isinstance(event, Quiet):
            return
        ask = event.task.label[1]
        if ask is None:
            if isinstance(event, Done):
                self._followed(event.task)
            return
        if isinstance(event, Started):
            self._record_start(ask, event.running)
        elif isinstance(event, Grew):
            self._tell_growth(ask, event.running)
        elif isinstance(event, Began):
            self._means.listener.began(ask.layer, ask.entry.name)
        elif event.task.skipped:
            self._partial.append(event.task.cut)
            unlock = "a longer --budget" if event.task.cut == NO_TIME else "ask again"
            self._skip(ask, Skip(event.task.cut, unlock))
            self._speak()
        else:
            self._finish(ask, event.task)
            self._speak()

    def tick(self) -> None:
        """Speak of what is known where an earlier layer keeps the later ones waiting."""
        self._speak()

    def _record_start(self, ask: _Ask, running: Running) -> None:
        command = running.permit.command
        identity = running.session.identity_of(running.prepared.argv)
        place = running.session.place.ref
        argv = self._means.redactor.argv(running.prepared.argv)
        if command.residue:
            self._write("residue", ResidueLeft(ask.entry.name, place, command.residue, None))
        self._write(
            "command",
            CommandStarted(
                probing.key(ask.entry),
                place,
                identity,
                argv,
                command.impact.word,
                command.residue,
                running.bound_s,
            ),
        )

    def _tell_growth(self, ask: _Ask, running: Running) -> None:
        """What a stream says so far: the probe reads the prefix as it would read the whole."""
        if not running.permit.command.template.streams:
            return
        output = running.output()
        by_line = getattr(ask.probe, "BY_LINE", False)
        if by_line:
            whole = output.stdout.rfind(b"\n") + 1
            output = replace(output, stdout=output.stdout[ask.told : whole])
            ask.told = whole
        output, _ = probing.redacted(
            output, self._means.redactor, running.permit.command.template.output
        )
        if by_line:
            self._means.listener.grown(ask.probe.read([*ask.outputs, output]), output.text)
            return
        facts = ask.probe.read([*ask.outputs, output])
        if facts:
            scratch = probing.evidence(
                ask.id, ask.entry, layer=ask.layer, scope=ask.probe.scope(self._context),
                place=self._context.place.ref, outputs=[*ask.outputs, output], items=(),
            )  # fmt: skip
            self._means.listener.grew(ask.layer, ask.entry.name, headline(scratch))

    def _keep_output(self, ask: _Ask, command: Command, output: Output) -> Output:
        """Clean an output; the plan goes on with what is left of it."""
        clean, count = probing.redacted(
            output, self._means.redactor, command.template.output, self._means.budget.left_s
        )
        session = self._means.home if command.template.here else self._means.session
        running = ask.task.last if ask.task else None
        prepared = session.prepare(command)
        ask.outputs.append(clean)
        ask.items.append(
            probing.ran(
                command,
                clean,
                session.identity_of(output.argv),
                self._means.redactor,
                place=session.place,
                digest=prepared.program_digest,
                redactions=count,
            )
        )
        if running is not None and command.residue:
            self._write(
                "residue",
                ResidueLeft(ask.entry.name, session.place.ref, running.left, not running.left),
            )
            self._partial.extend(f"left at {session.place.ref}: {what}" for what in running.left)
        return clean

    def _skip(self, ask: _Ask, skip: Skip) -> None:
        ask.skip = skip
        ask.said = ProbeRun(ask.entry.name, ask.layer, "skipped", why=skip.why, unlock=skip.unlock)
        self._write("skipped", ask.said)

    def _finish(self, ask: _Ask, task: Task) -> None:
        for error in task.refused:
            self._means.listener.warned(self._means.redactor.text(str(error)))
        if task.error is not None:
            task.cut = task.cut or f"{task.error.what}: {task.error.why}"
        scope = ask.probe.scope(self._context)
        ask.evidence = probing.evidence(
            ask.id,
            ask.entry,
            layer=ask.layer,
            scope=replace(scope, note=self._means.redactor.text(scope.note)),
            place=self._context.place.ref,
            outputs=ask.outputs,
            items=ask.items,
            cut=self._means.redactor.text(task.cut),
            asked=params.pairs(ask.params) if ask.params is not None else (),
        )
        evidence = ask.evidence
        words = headline(evidence)
        ask.said = ProbeRun(
            evidence.probe,
            evidence.layer,
            evidence.status.value,
            evidence=evidence.id,
            headline=words,
            why=evidence.problem,
            duration_s=round(task.took_s, 3),
        )
        body = encode(evidence)
        del body["facts"]  # derived: a replay reads them from the outputs again
        blobs = tuple(b for o in ask.outputs for b in (o.stdout, o.stderr))
        ask.recorded = self._write("evidence", {**body, "run": encode(ask.said)}, blobs)
        if evidence.status in {Status.PARTIAL, Status.FAILED}:
            self._partial.append(
                f"{evidence.layer}/{evidence.probe}: {evidence.problem or 'failed'}"
            )
        if task.cut == INTERRUPTED:
            self._interrupted = True
            self._partial.append("interrupted by the user")

    def _speak(self) -> None:
        """Say what is known, in the order of the method, past who lets the others wait too long."""
        now = time.monotonic()
        for ask in self._asks:
            if ask.spoken:
                continue
            if ask.said is None:
                began = ask.task.began if ask.task else 0.0
                if not began or now - began < _PATIENCE_S:
                    return
                continue
            ask.spoken = True
            if ask.evidence is None:
                assert ask.skip is not None  # noqa: S101 - it was asked or skipped
                self._means.listener.skipped(ask.layer, ask.entry.name, ask.skip)
                continue
            self._means.listener.stored(ask.evidence, ask.said.headline, recorded=ask.recorded)
            if self._means.judge_at_once:
                self._look_for_findings()

    def _look_for_findings(self) -> None:
        evidence = tuple(a.evidence for a in self._asks if a.evidence is not None and a.spoken)
        case = Case(self._context.target.ref, time.time(), evidence)
        for finding in judge(case):
            key = (finding.rule, finding.title)
            if key not in self._known:
                self._known.add(key)
                if self._first_finding is None:
                    self._first_finding = time.time() - self._means.began
                self._means.listener.found(finding)

    def _followed(self, task: Task) -> None:
        """The target's processes as they are now; which of those of the beginning have ended."""
        if task.result is None:
            return
        now, table = task.result
        whole = self._opened.target.processes
        self._ended = [p.pid for p in whole if not resolve.alive(p, table)]
        if now.pids == self._context.target.pids:
            return
        redactor, known = self._means.redactor, self._processes
        fresh = tuple(
            known[p.pid]
            if p.pid in known and known[p.pid].start_ticks == p.start_ticks
            else replace(p, cmdline=redactor.argv(p.cmdline), comm=redactor.text(p.comm))
            for p in now.processes
        )
        self._processes.update({p.pid: p for p in fresh})
        self._context = replace(
            self._context,
            target=replace(now, ref=self._context.target.ref, host=self._context.target.host,
                           processes=fresh),
        )  # fmt: skip

    # -- the end ---------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether all probes have been answered and the last look has been taken.

        When the last probe is done it queues that look at the target's processes.
        """
        if any(ask.said is None for ask in self._asks):
            return False
        if self._last is None and self._context.target.pids and not self._interrupted:
            self._last = self._follow()
        return self._last is None or self._last.done

    def _write_place(self) -> None:
        """The place as it is known by now: its clock is measured while other things go on."""
        session = self._means.session
        if session.ground is not None:
            argv = self._means.redactor.argv(session.argv[:1])
            ground = _recorded(session.ground, self._means.redactor)
            self._write("place", PlaceOpened(session.place, argv, ground))
            self._opened = replace(self._opened, ground=ground)

    def conclude(self) -> Investigation:
        """The conclusions, once every task is done; recorded."""
        self._speak_all()
        self._write_place()
        if self._ended:
            pids = ", ".join(map(str, self._ended))
            self._partial.append(f"of the target, process {pids} ended during the investigation")
        record = self._means.record
        if record.problem:
            self._partial.append(record.problem)
        closed = Closed(
            ended=time.time(),
            partial=tuple(dict.fromkeys(self._partial)),
            timings=Timings(
                _rounded(self._first_finding), round(time.time() - self._means.began, 3)
            ),
            redacted=self._means.redactor.counts.total(),
        )
        runs = [a.said for a in self._asks if a.said is not None]
        evidence = [a.evidence for a in self._asks if a.evidence is not None]

        def whole(head: str | None) -> Investigation:
            path = str(record.ledger.path) if record.ledger else None
            return conclude(self._opened, closed, runs, evidence, ledger=path, head=head)

        investigation = whole(None)
        for finding in investigation.findings:
            self._write("finding", finding)
        verdict = tuple(c for c in investigation.claims if c.claim.slot in {"state", "verdict"})
        self._write("closed", replace(closed, verdict=verdict))
        return whole(record.ledger.head if record.ledger else None)

    def _speak_all(self) -> None:
        for ask in self._asks:
            if ask.said is None:  # never reached: the driver gave up before
                self._skip(ask, Skip(INTERRUPTED, "ask again"))
        self._speak()

    def _write(self, kind: str, body: Any, outputs: tuple[bytes, ...] = ()) -> bool:
        plain = {**encode(body), "investigation": self._investigation}
        return bool(self._means.record.write(kind, plain, outputs))


def _recorded(ground: Ground, redactor: Redactor) -> Ground:
    """What was found at a place, without the listing of sudo: its rules may hold passwords."""
    return replace(ground, sudo="", sudo_notes=tuple(map(redactor.text, ground.sudo_notes)))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
