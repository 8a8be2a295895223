"""Replay: the conclusions again from a saved ledger, with no target present."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from locard import catalogue
from locard.investigate import probing
from locard.investigate.conclude import Closed, Opened, conclude
from locard.model.codec import decode
from locard.model.errors import StateError, UsageError
from locard.model.evidence import Evidence, Layer, Ran, Scope, Status
from locard.model.finding import Finding
from locard.model.headline import headline
from locard.model.investigation import Investigation, ProbeRun, Timings
from locard.model.place import HERE
from locard.model.record_entries import PlaceOpened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.ledger.store import Entry, Ledger
    from locard.model.facts import Fact


_MOST_TOGETHER = 256 << 20  # bytes of the outputs of one probe, which are in memory together


@dataclass(frozen=True, slots=True)
class Replayed:
    """The investigation again, and the findings as they were recorded at the time."""

    investigation: Investigation
    recorded: tuple[Finding, ...]

    @property
    def same(self) -> bool:
        """Whether this version concludes what was concluded then."""
        return not self.recorded or self.recorded == self.investigation.findings


@dataclass(slots=True)
class _Read:
    """One investigation of a ledger as far as it was recorded."""

    opened: Opened
    at: float
    closed: Closed | None = None
    runs: list[ProbeRun] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def replay(ledger: Ledger) -> Replayed:
    """The last investigation of a record, judged anew; raises StateError where there is none."""
    return replay_all(ledger)[-1]


def replay_all(ledger: Ledger) -> tuple[Replayed, ...]:
    """Read the outputs, judge them anew; raises StateError on a record without a beginning.

    A record may hold several investigations, one after the other or of many places at once. One that
    was killed has no last entry: what it had stored is all there, and is labelled as cut short.
    """
    every: dict[int, _Read] = {}
    for entry in ledger.entries():
        with _readable(ledger, entry.seq):
            if entry.kind == "opened":
                every[entry.seq] = _Read(decode(Opened, entry.body), entry.at)
                continue
            named = entry.body.get("investigation") if isinstance(entry.body, dict) else None
            mine = every.get(named) if named else next(reversed(every.values()), None)
            if mine is not None:
                _take(ledger, entry, mine)
    if not every:
        raise StateError(
            f"{ledger.path.name} holds no investigation",
            "locard was ended before it had begun one",
            "Run the investigation again.",
        )
    return tuple(_concluded(ledger, read) for read in every.values())


def _take(ledger: Ledger, entry: Entry, into: _Read) -> None:
    into.at = entry.at
    if entry.kind == "skipped":
        into.runs.append(decode(ProbeRun, entry.body))
    elif entry.kind == "evidence":
        again = _evidence(ledger, entry.body)
        into.evidence.append(again)
        into.runs.append(decode(ProbeRun, {**entry.body["run"], "headline": headline(again)}))
    elif entry.kind == "place":
        into.opened = replace(into.opened, ground=decode(PlaceOpened, entry.body).ground)
    elif entry.kind == "finding":
        into.findings.append(decode(Finding, entry.body))
    elif entry.kind == "closed":
        into.closed = decode(Closed, entry.body)


def _concluded(ledger: Ledger, read: _Read) -> Replayed:
    # The record has them in the order in which they ended.
    evidence = sorted(read.evidence, key=number_of)
    runs = in_order(read.runs)
    closed = read.closed
    if closed is None:
        cut = ("locard was ended before it could conclude",)
        redacted = sum(r.redacted for e in evidence for r in e.ran)
        took = Timings(None, round(read.at - read.opened.started, 3))
        closed = Closed(read.at, cut, took, redacted)
    whole = conclude(read.opened, closed, runs, evidence, ledger=str(ledger.path), head=ledger.head)
    return Replayed(whole, tuple(read.findings))


def in_order(runs: Sequence[ProbeRun]) -> list[ProbeRun]:
    """The probes in the order of the method, as they were planned."""
    planned = [(e.layer, e.name) for layer in Layer for e in catalogue.entries("probe", layer)]
    places = {key: at for at, key in enumerate(planned)}
    return sorted(runs, key=lambda r: places.get((r.layer.value, r.probe), len(places)))


def number_of(item: Evidence) -> int:
    """The order in which the probes were asked: the 12 of e12."""
    digits = item.id[1:]
    return int(digits) if digits.isdigit() else 0


@contextlib.contextmanager
def _readable(ledger: Ledger, seq: int) -> Iterator[None]:
    """An entry whose chain is whole but which is none of locard's is an error, not a crash."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise StateError(
            f"entry {seq} of {ledger.path.name} cannot be read",
            f"it is not what this version of locard writes ({type(error).__name__})",
            "Use the version that wrote it; do not rely on a record of unknown origin.",
        ) from error


def _evidence(ledger: Ledger, body: dict[str, Any]) -> Evidence:
    ran = decode(tuple[Ran, ...], body["ran"])
    whole = sum(ledger.size(digest) for item in ran for digest in (item.stdout, item.stderr))
    if whole > _MOST_TOGETHER:
        raise ValueError("its outputs are larger than those of any probe")
    outputs = [probing.output_of(item, ledger.output) for item in ran]
    facts: tuple[Fact, ...] = ()
    problem = body["problem"]
    try:
        facts = probing.load(catalogue.entry("probe", body["probe"], body["layer"])).read(outputs)
    except UsageError as error:  # recorded by a version that had more probes
        problem = f"cannot be read by this version: {error.what}"
    return Evidence(
        id=body["id"],
        probe=body["probe"],
        layer=Layer(body["layer"]),
        status=Status(body["status"]),
        scope=decode(Scope, body["scope"]),
        ran=ran,
        facts=facts,
        problem=problem,
        place=body.get("place", HERE.ref),
        params=decode(tuple[tuple[str, str], ...], body.get("params", ())),
    )
