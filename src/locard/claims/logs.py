"""What a log lets one claim: what changed, when, who is hit, who is not, what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.claim import Claim, Figure, figures
from locard.model.headline import part_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.claim import Slot
    from locard.model.log_facts import AffectedValue, BlastRadius, Correlate, LogSummary

SHOWN_VALUES = 4


def proposed(log: LogSummary, evidence: str, now: float) -> Iterator[Claim]:
    """The strongest claims about one log; the licences weaken what it does not carry."""
    cites = (evidence,)
    yield change(log, cites)
    yield _onset(log, cites, now)
    if not log.claims_rates:
        yield Claim(
            "coverage",
            "log_holds_part",
            log.source,
            figures(kind=log.coverage.kind, why=log.coverage.why),
            cites,
        )
    if log.changed:
        yield from (_correlate(log, c, cites) for c in log.correlates[:1])
        yield from _radii(log, cites)
        if everyone := _everyone(log, cites):
            yield everyone


def change(log: LogSummary, cites: tuple[str, ...]) -> Claim:
    """What changed in the log, or that nothing did."""
    if not log.records:
        return Claim("changed", "log_unreadable", log.source, figures(lines=log.lines), cites)
    if not log.changed:
        return Claim("changed", "log_unchanged", log.source, figures(records=log.records), cites)
    errors = "errors" in log.changed
    before, after = _rates(log)
    return Claim(
        "changed",
        "log_changed",
        log.source,
        (
            *figures(
                errors_before=before if errors and log.claims_rates else None,
                errors_after=after if errors and log.claims_rates else None,
                bad_before=log.before_bad if errors and not log.claims_rates else None,
                bad_after=log.after_bad if errors and not log.claims_rates else None,
                p99_before_ms=log.before_p99_ms if "latency" in log.changed else None,
                p99_after_ms=log.after_p99_ms if "latency" in log.changed else None,
                shape=log.shape if log.shape != "unknown" else None,
                part=part_words(log) or None,
            ),
            *(Figure("also", None, outcome) for outcome in _rest(log)),
        ),
        cites,
    )


def _rest(log: LogSummary) -> tuple[str, ...]:
    """What changed beside that which has correlates."""
    if not log.correlates or not log.judged:
        return ()
    return tuple(outcome for outcome in log.changed if outcome not in log.judged)


def _rates(log: LogSummary) -> tuple[float | None, float | None]:
    """The share of errors before and after: of the part that is hit where it is one."""
    if log.of_part:
        for shape in log.shapes:
            if shape.measure == "errors" and shape.before is not None and shape.after is not None:
                return shape.before, shape.after
        return None, None
    if log.onset is None:
        return None, None
    onset = log.onset
    early = [p for p in log.series if p.start + p.width_s <= onset.earliest]
    late = [p for p in log.series if p.start >= onset.latest]
    return tuple(
        sum(p.errors for p in side) / total if (total := sum(p.total for p in side)) else None
        for side in (early, late)
    )  # type: ignore[return-value]


def _onset(log: LogSummary, cites: tuple[str, ...], now: float) -> Claim:
    if log.onset is None:
        return Claim("onset", "onset_unknown", log.source, (), cites)
    return Claim(
        "onset",
        "onset_known",
        log.source,
        figures(
            earliest=log.onset.earliest,
            latest=log.onset.latest,
            confidence=log.onset.confidence,
            baseline_seen=log.onset.baseline_seen,
            now=now,
        ),
        cites,
    )


def _correlate(log: LogSummary, item: Correlate, cites: tuple[str, ...]) -> Claim:
    return Claim(
        "affected",
        "set_hit",
        ", ".join(f"{field}={value}" for field, value in item.values),
        figures(
            support=item.support,
            of=log.after_bad,
            share_of_excess=item.share_of_excess if log.claims_rates else None,
            lift=item.lift if log.claims_rates else None,
        ),
        cites,
    )


def _radii(log: LogSummary, cites: tuple[str, ...]) -> Iterator[Claim]:
    """Each field once, what tells first first; fields that say the same are one."""
    sides: tuple[Slot, ...] = ("affected", "unaffected", "unknown")
    for side in sides:
        seen: set[frozenset[tuple[str, int]]] = set()
        for radius in sorted(log.blast_radius, key=lambda r: _telling(r, log)):
            values: tuple[AffectedValue, ...] = getattr(radius, side)
            same = frozenset((v.value, v.requests) for v in values)
            if not values or same in seen or (side == "affected" and _all_hit(radius)):
                continue
            seen.add(same)
            yield _values(side, radius.field, values, rates=log.claims_rates, cites=cites)


def _values(
    side: Slot,
    field: str,
    values: tuple[AffectedValue, ...],
    *,
    rates: bool,
    cites: tuple[str, ...],
) -> Claim:
    kind = {"affected": "values_hit", "unaffected": "values_spared", "unknown": "values_unknown"}
    shown = tuple(
        Figure(
            "value",
            v.requests if side == "unknown" else v.after_rate if rates else None,
            v.value,
            "requests" if side == "unknown" else "1",
        )
        for v in values[:SHOWN_VALUES]
    )
    return Claim(side, kind[side], field, (*shown, *figures(values=len(values))), cites)


def _all_hit(radius: BlastRadius) -> bool:
    return len(radius.affected) > 1 and not radius.unaffected and not radius.unknown


def _everyone(log: LogSummary, cites: tuple[str, ...]) -> Claim | None:
    """Fields of which every value is hit; None if there is none."""
    hit = [r for r in log.blast_radius if _all_hit(r)]
    if not hit:
        return None
    every = [v for r in hit for v in r.affected]
    return Claim(
        "affected",
        "every_value_hit",
        ", ".join(r.field for r in hit),
        figures(
            fields=len(hit),
            low=min(v.after_rate for v in every) if log.claims_rates else None,
            high=max(v.after_rate for v in every) if log.claims_rates else None,
        ),
        cites,
    )


def _telling(radius: BlastRadius, log: LogSummary) -> tuple[bool, bool, str]:
    """Fields of the correlates first, then those that separate, then by name."""
    correlated = {field for c in log.correlates for field, _ in c.values}
    separates = bool(radius.affected) and bool(radius.unaffected)
    return radius.field not in correlated, not separates, radius.field
