"""Replay: the conclusions again from a saved ledger, with no target present."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.ledger.store import Ledger
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


def replay(ledger: Ledger) -> Replayed:
    """Read the outputs, judge them anew; raises StateError on a record without a beginning.

    An investigation that was killed has no last entry: what it had stored is all there, and is
    labelled as cut short.
    """
    opened: Opened | None = None
    closed: Closed | None = None
    runs: list[ProbeRun] = []
    evidence: list[Evidence] = []
    findings: list[Finding] = []
    at = 0.0
    for entry in ledger.entries():
        at = entry.at
        with _readable(ledger, entry.seq):
            if entry.kind == "opened":
                # An incident may hold several investigations: the last one counts.
                opened, closed = decode(Opened, entry.body), None
                runs, evidence, findings = [], [], []
            elif entry.kind == "skipped":
                runs.append(decode(ProbeRun, entry.body))
            elif entry.kind == "evidence":
                again = _evidence(ledger, entry.body)
                evidence.append(again)
                runs.append(decode(ProbeRun, {**entry.body["run"], "headline": headline(again)}))
            elif entry.kind == "finding":
                findings.append(decode(Finding, entry.body))
            elif entry.kind == "closed":
                closed = decode(Closed, entry.body)
    evidence.sort(key=number_of)  # the record has them in the order in which they ended
    if opened is None:
        raise StateError(
            f"{ledger.path.name} holds no investigation",
            "locard was ended before it had begun one",
            "Run the investigation again.",
        )
    if closed is None:
        cut = ("locard was ended before it could conclude",)
        redacted = sum(r.redacted for e in evidence for r in e.ran)
        closed = Closed(at, cut, Timings(None, round(at - opened.started, 3)), redacted)
    whole = conclude(opened, closed, runs, evidence, ledger=str(ledger.path), head=ledger.head)
    return Replayed(whole, tuple(findings))


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
    )
