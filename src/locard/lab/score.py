"""Compares an investigation's document with the truth, and says what the target lost meanwhile."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from locard.lab import records
from locard.lab.false_claims import Known, false_claims
from locard.lab.scene import Variant

if TYPE_CHECKING:
    from locard.lab.play import Played
    from locard.lab.scene import Truth

_NO_RULE: frozenset[str] = frozenset()
_ALARMING = frozenset({"warning", "critical"})


@dataclass(frozen=True, slots=True)
class Score:
    """How right an investigation was. None where the question does not arise.

    `right` is the whole verdict in one word: the right rule first, or no alarm where none is due.
    `rank` is the place of the right rule among the contributing factors, those that name who is hit
    coming after all mechanisms. `onset_off_s` is how far the true onset lies outside the interval.
    `false_alarms` are the rules of mechanisms, and the rule that would be right of the fault, that
    were reported as warning or worse where nothing of the kind is wrong. `false_claims` are the
    sentences that the truth contradicts.
    """

    right: bool
    answered: bool
    locard_cpu_s: float
    first_finding_s: float | None = None
    verdict_s: float | None = None
    right_finding_s: float | None = None
    top1: bool | None = None
    rank: int | None = None
    onset_hit: bool | None = None
    onset_off_s: float | None = None
    onset_width_s: float | None = None
    values_hit: float | None = None
    mentions_hit: bool | None = None
    false_alarms: tuple[str, ...] = ()
    false_claims: tuple[str, ...] = ()


def score(played: Played) -> Score:
    """The score of one run."""
    document, truth = _answers(played.investigated.document), played.scene.truth
    answered = "contributing_factors" in document
    took_s = round(played.answered - played.asked, 2)
    timings = document.get("timings") or {"verdict_s": took_s if answered else None}
    if played.casting.variant is not Variant.FAULT or played.onset is None:
        alarms = _alarms(document, truth)
        return Score(
            right=answered and not alarms,
            answered=answered,
            locard_cpu_s=played.investigated.cpu_s,
            first_finding_s=timings.get("first_finding_s"),
            verdict_s=timings.get("verdict_s"),
            false_alarms=alarms,
            false_claims=_false_claims(document, played),
        )
    rank = _rank(document, truth)
    found_at = [at for rule, at in played.investigated.found_at.items() if rule in truth.rules]
    off_s, width_s = _onset(document, played.onset)
    return Score(
        right=rank == 1,
        answered=answered,
        locard_cpu_s=played.investigated.cpu_s,
        first_finding_s=timings.get("first_finding_s"),
        verdict_s=timings.get("verdict_s"),
        right_finding_s=min(found_at, default=None),
        top1=rank == 1,
        rank=rank,
        onset_hit=off_s == 0,
        onset_off_s=off_s,
        onset_width_s=width_s,
        values_hit=_values_hit(document, truth),
        mentions_hit=_mentions_hit(document, truth),
        false_claims=_false_claims(document, played),
    )


def target_lost(played: Played) -> dict[str, Any]:
    """What clients saw during the investigation, and in as many equally degraded seconds before."""
    length = played.answered - played.asked
    settled = played.asked if played.onset is None else max(played.onset + 5, played.began)
    start = max(played.asked - max(length, 10.0), min(settled, played.asked - 1))
    before = records.seen(played.requests, start, played.asked)
    during = records.seen(played.requests, played.asked, played.answered)
    return {"before": asdict(before), "during": asdict(during)}


def demo_document(played: Played) -> dict[str, Any]:
    """The run as one JSON document: what was played, the truth, the score, the answer."""
    casting, truth = played.casting, played.scene.truth
    faulty = casting.variant is Variant.FAULT
    return {
        "schema": "locard/1",
        "kind": "demo",
        "demo": {
            "scenario": casting.scenario,
            "seed": casting.seed,
            "variant": casting.variant.value,
            "truth": {
                "rules": list(truth.rules) if faulty else [],
                "values": dict(truth.values) if faulty else {},
                "mentions": list(truth.mentions) if faulty else [],
                "onset": played.onset if faulty else None,
                "changed": played.onset,
            },
            "score": asdict(score(played)),
            "target_lost": target_lost(played),
            "command": list(played.investigated.argv),
            "exit_code": played.investigated.exit_code,
        },
        "investigation": played.investigated.document,
    }


def _false_claims(document: dict[str, Any], played: Played) -> tuple[str, ...]:
    truth, faulty = played.scene.truth, played.casting.variant is Variant.FAULT
    if not faulty:
        # A near miss may show in the log or not: what it must not have is the rule's mechanism.
        healthy = played.casting.variant is Variant.HEALTHY
        return false_claims(document, Known(broken=False if healthy else None, factors=_NO_RULE))
    return false_claims(
        document,
        Known(
            broken=True,
            hit=truth.values,
            everyone=False if truth.values else None,
            onset=played.onset,
            factors=frozenset(truth.rules),
        ),
    )


def _answers(document: dict[str, Any]) -> dict[str, Any]:
    """The document of `locard logs` with its answers where an investigation has them."""
    return {**document.get("log_summary", {}), **document}


def _alarms(document: dict[str, Any], truth: Truth) -> tuple[str, ...]:
    return tuple(
        finding["rule"]
        for finding in document.get("findings", [])
        if (finding.get("role") == "mechanism" or finding["rule"] in truth.rules)
        and finding.get("severity") in _ALARMING
    )


def _rank(document: dict[str, Any], truth: Truth) -> int | None:
    factors = [f["rule"] for f in document.get("contributing_factors", [])]
    findings = document.get("findings", [])
    # Of what is no factor only what says whom or what it is about.
    named = [f for f in findings if f.get("role") != "mechanism" and f.get("values")]
    factors += [f["rule"] for f in named if f["rule"] not in factors]
    return next((k for k, rule in enumerate(factors, 1) if rule in truth.rules), None)


def _onset(document: dict[str, Any], true: float) -> tuple[float | None, float | None]:
    """How far outside the interval the true onset is, and how wide the interval is; seconds."""
    quiet = (s["since"] for s in document.get("silences", []) if s["field"])
    onset = document.get("onset") or next(quiet, None)
    if not onset:
        return None, None
    earliest, latest = onset["earliest"], onset["latest"]
    return round(max(earliest - true, true - latest, 0.0), 2), round(latest - earliest, 2)


def _values_hit(document: dict[str, Any], truth: Truth) -> float | None:
    """The share of the true field=value pairs that the report names as affected."""
    if not truth.values:
        return None
    named = {
        (pair[0], pair[1])
        for item in (*document.get("correlates", []), *document.get("findings", []))
        for pair in item.get("values", [])
    }
    for radius in document.get("blast_radius", []):
        named.update((radius["field"], a["value"]) for a in radius.get("affected", []))
    return round(sum(pair in named for pair in truth.values) / len(truth.values), 3)


def _mentions_hit(document: dict[str, Any], truth: Truth) -> bool | None:
    """Whether the finding behind the right factor names what is to be named."""
    if not truth.mentions:
        return None
    said = " ".join(
        str(item)
        for key in ("contributing_factors", "findings")
        for item in document.get(key, [])
        if item.get("rule") in truth.rules
    )
    return all(word in said for word in truth.mentions)
