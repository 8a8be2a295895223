"""One investigation, live: layers in order, probes through the gate, everything recorded at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from locard import __version__, catalogue
from locard.guard.command import Command, Wait
from locard.investigate import here, probing
from locard.investigate.conclude import Closed, Opened, conclude, judge
from locard.model.codec import encode
from locard.model.errors import RefusedError, StateError
from locard.model.evidence import Layer, Output, Status
from locard.model.finding import Case
from locard.model.headline import headline
from locard.model.investigation import Investigation, ProbeRun, Timings
from locard.model.target import Skip
from locard.transport import local

if TYPE_CHECKING:
    from locard.catalogue import Entry
    from locard.guard.budget import Budget
    from locard.guard.gate import Gate
    from locard.guard.redact import Redactor
    from locard.ledger.store import Ledger
    from locard.model.evidence import Evidence, Ran, Scope
    from locard.model.finding import Finding
    from locard.model.investigation import Question
    from locard.model.target import Context
    from locard.probe import Probe

_RESERVE_S = 1.0  # of the budget, for the conclusions
_NO_TIME_S = 0.2


class Listener(Protocol):
    """Who is told of the progress, in the order in which it happens."""

    def began(self, layer: Layer, probe: str) -> None:
        """A probe begins."""

    def stored(self, evidence: Evidence, headline: str, *, recorded: bool) -> None:
        """Its evidence is safe in the ledger (or, not `recorded`, only in memory)."""

    def skipped(self, layer: Layer, probe: str, skip: Skip) -> None:
        """A probe was not run."""

    def found(self, finding: Finding) -> None:
        """A rule found something that it had not found before."""

    def warned(self, text: str) -> None:
        """Something that the user should know at once."""


@dataclass(frozen=True, slots=True)
class Means:
    """What an investigation works with."""

    gate: Gate
    budget: Budget
    redactor: Redactor
    ledger: Ledger | None
    listener: Listener
    began: float  # Unix time at which the process of locard began


class Investigator:
    """Runs the layers of one question and keeps their record."""

    def __init__(self, incident: str, question: Question, context: Context, means: Means) -> None:
        """Nothing runs before `run`."""
        self._means = means
        self._context = context
        self._opened = Opened(
            __version__, incident, question, context.target, local.identity(), time.time()
        )
        self._evidence: list[Evidence] = []
        self._runs: list[ProbeRun] = []
        self._partial: list[str] = []
        self._known: set[tuple[str, str]] = set()
        self._first_finding: float | None = None
        self._processes = {p.pid: p for p in context.target.processes}
        self._context = replace(context, first=context.target)
        self._ledger = means.ledger

    def run(self) -> Investigation:
        """All layers within the budget; an interrupt or an error ends them, the results stay."""
        self._record("opened", self._opened)
        try:
            for layer in Layer:
                self._follow()
                for entry in catalogue.entries("probe", layer):
                    self._probe(layer, entry)
        except KeyboardInterrupt:
            self._partial.append("interrupted by the user")
        return self._conclude()

    def _follow(self) -> None:
        """Look at the target's processes anew: what began meanwhile is looked at from here on."""
        now = here.follow(self._context.target)
        if now.pids == self._context.target.pids:
            return
        redactor = self._means.redactor
        known = self._processes
        fresh = tuple(
            known[p.pid]
            if p.pid in known and known[p.pid].start_ticks == p.start_ticks
            else replace(p, cmdline=redactor.argv(p.cmdline), comm=redactor.text(p.comm))
            for p in now.processes
        )
        self._processes.update({p.pid: p for p in fresh})
        self._context = replace(self._context, target=replace(now, processes=fresh))

    def _probe(self, layer: Layer, entry: Entry) -> None:
        probe = probing.load(entry)
        skip = probe.applies(self._context) or self._no_time()
        if skip is not None:
            self._runs.append(
                ProbeRun(entry.name, layer, "skipped", why=skip.why, unlock=skip.unlock)
            )
            self._record("skipped", self._runs[-1])
            self._means.listener.skipped(layer, entry.name, skip)
            return
        self._means.listener.began(layer, entry.name)
        began = time.monotonic()
        outputs, items, cut = self._gather(entry, probe)
        evidence = probing.evidence(
            f"e{len(self._evidence) + 1}",
            entry,
            layer=layer,
            scope=self._scope(probe),
            outputs=outputs,
            items=items,
            cut=cut,
        )
        self._keep(evidence, outputs, time.monotonic() - began)
        if cut == _INTERRUPTED:
            raise KeyboardInterrupt

    def _scope(self, probe: Probe) -> Scope:
        scope = probe.scope(self._context)
        return replace(scope, note=self._means.redactor.text(scope.note))

    def _gather(self, entry: Entry, probe: Probe) -> tuple[list[Output], list[Ran], str]:
        outputs: list[Output] = []
        items: list[Ran] = []

        def perform(command: Command) -> Output:
            output, count = probing.redacted(
                self._run(entry, command),
                self._means.redactor,
                command.template.output,
                self._means.budget.left_s,
            )
            outputs.append(output)
            items.append(
                probing.ran(command, output, self._opened.identity, self._means.redactor, count)
            )
            return output

        try:
            for step, _ in probing.steps(probe, self._context, perform):
                if isinstance(step, Wait):
                    time.sleep(self._means.budget.bound(step.seconds))
                if self._means.budget.left_s <= _NO_TIME_S:
                    return outputs, items, _NO_TIME
        except KeyboardInterrupt:
            return outputs, items, _INTERRUPTED
        except RefusedError as error:  # a value that no template takes: this probe only
            why = self._means.redactor.text(f"{error.what}: {error.why}")
            return outputs, items, why
        return outputs, items, ""

    def _run(self, entry: Entry, command: Command) -> Output:
        """One command: same processes as resolved, through the gate, within the budget."""
        gone = [
            pid
            for pid in command.pids
            if pid in self._processes and not here.alive(self._processes[pid])
        ]
        if gone:
            ended = ", ".join(map(str, gone))
            if not set(command.pids) - set(gone):
                return _not_run(command, f"process {ended} has ended")
        try:
            permit = self._means.gate.admit(entry.name, command)
        except RefusedError as error:
            self._means.listener.warned(self._means.redactor.text(str(error)))
            return _not_run(command, str(error))
        self._record(
            "command",
            {
                "probe": entry.name,
                "argv": self._means.redactor.argv(local.prepare(command).argv),
                "impact": command.impact.word,
                "residue": command.residue,
                "bound_s": command.bound_s,
            },
        )
        return local.run(permit, self._means.budget.bound(command.bound_s))

    def _keep(self, evidence: Evidence, outputs: list[Output], duration_s: float) -> None:
        blobs = tuple(b for o in outputs for b in (o.stdout, o.stderr))
        self._evidence.append(evidence)
        words = headline(evidence)
        run = ProbeRun(
            evidence.probe,
            evidence.layer,
            evidence.status.value,
            evidence=evidence.id,
            headline=words,
            why=evidence.problem,
            duration_s=round(duration_s, 3),
        )
        self._runs.append(run)
        body = encode(evidence)
        del body["facts"]  # derived: a replay reads them from the outputs again
        recorded = self._record("evidence", {**body, "run": encode(run)}, blobs)
        if evidence.status in {Status.PARTIAL, Status.FAILED}:
            self._partial.append(
                f"{evidence.layer}/{evidence.probe}: {evidence.problem or 'failed'}"
            )
        self._means.listener.stored(evidence, words, recorded=recorded)
        self._look_for_findings()

    def _look_for_findings(self) -> None:
        case = Case(self._context.target.ref, time.time(), tuple(self._evidence))
        for finding in judge(case):
            key = (finding.rule, finding.title)
            if key not in self._known:
                self._known.add(key)
                if self._first_finding is None:
                    self._first_finding = time.time() - self._means.began
                self._means.listener.found(finding)

    def _no_time(self) -> Skip | None:
        if self._means.budget.left_s > _RESERVE_S:
            return None
        self._partial.append(_NO_TIME)
        return Skip(_NO_TIME, "a longer --budget")

    def _record(self, kind: str, body: object, outputs: tuple[bytes, ...] = ()) -> bool:
        if self._ledger is None:
            return False
        try:
            self._ledger.append(kind, body, outputs)
        except StateError as error:
            self._ledger.close()
            self._ledger = None
            self._partial.append(f"not recorded from here on: {error.what}: {error.why}")
            self._means.listener.warned(f"{error} Going on without the record.")
            return False
        return True

    def _conclude(self) -> Investigation:
        ended_target = [p.pid for p in self._opened.target.processes if not here.alive(p)]
        if ended_target:
            pids = ", ".join(map(str, ended_target))
            self._partial.append(f"of the target, process {pids} ended during the investigation")
        closed = Closed(
            ended=time.time(),
            partial=tuple(dict.fromkeys(self._partial)),
            timings=Timings(
                _rounded(self._first_finding), round(time.time() - self._means.began, 3)
            ),
            redacted=self._means.redactor.counts.total(),
        )

        def whole(head: str | None) -> Investigation:
            path = str(self._ledger.path) if self._ledger else None
            return conclude(
                self._opened, closed, self._runs, self._evidence, ledger=path, head=head
            )

        investigation = whole(None)
        for finding in investigation.findings:
            self._record("finding", finding)
        verdict = tuple(c for c in investigation.claims if c.claim.slot in {"state", "verdict"})
        self._record("closed", replace(closed, verdict=verdict))
        return whole(self._ledger.head if self._ledger else None)


_NO_TIME = "the time budget ran out"
_INTERRUPTED = "interrupted"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _not_run(command: Command, why: str) -> Output:
    return Output(command.argv, b"", exit_code=None, started=time.time(), problem=why)
