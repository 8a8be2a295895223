"""What a log lets one claim: what changed, when, who is hit, who is not, what it says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import beginning_words, log_sentences, log_spread, log_state
from locard.model.claim import Claim, Figure, figures
from locard.model.log_latency import risen
from locard.model.moments import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.claim import Slot
    from locard.model.log_facts import (
        AffectedValue,
        BlastRadius,
        Correlate,
        LogSummary,
        OutcomeField,
    )
    from locard.model.log_state import LogState

SHOWN_VALUES = 4
SHOWN_SETS = 4
SHOWN_BEGINNINGS = 3
_DAY_S = 86400.0
_WIDER = 1.8  # times a 95 % interval: one of many values


def proposed(log: LogSummary, evidence: str, now: float) -> Iterator[Claim]:
    """The strongest claims about one log; the licences weaken what it does not carry."""
    cites = (evidence,)
    yield _read(log, cites, "log")
    yield standing(log, cites)
    yield from (of_state(log, s, cites) for s in log_state.judge(log).further)
    if log.changed:
        yield _onset(log, cites, now)
    if not log.claims_rates:
        yield Claim(
            "coverage", "log_holds_part", log.source,
            figures(log=log.source, kind=log.coverage.kind, why=log.coverage.why), cites,
        )  # fmt: skip
    yield from _beginnings(log, cites)
    if log.changed:
        yield _bad_means(log, cites)
        yield from (_correlate(log, c, cites) for c in log.correlates[:SHOWN_SETS])
        if log.correlates:
            yield from _rest(log, cites)
        else:
            yield _spread(log, cites)
        yield from (_outcome(log, o, cites) for o in log.outcomes[:1])
        yield from _radii(log, cites)
    yield from _alarms(log, cites)


def _beginnings(log: LogSummary, cites: tuple[str, ...]) -> Iterator[Claim]:
    """Where the log begins and why, where that is worth a line, and the parts at whose beginning it steps."""
    for one in beginning_words.worth_saying(log)[:SHOWN_BEGINNINGS]:
        yield Claim(
            "coverage", "log_begins", one.part or log.source,
            figures(
                log=log.source, part=one.part, at=one.at, why=one.kind, dated=_dated(log),
                says=beginning_words.sentence(one, log, moment),
            ), cites,
        )  # fmt: skip


def beside(log: LogSummary, evidence: str) -> Iterator[Claim]:
    """How another log of the target stands, where that is worth a line."""
    state = log_state.judge(log)
    if state.incident or log.changed:
        yield of_state(log, state, (evidence,), slot="other_logs")
    else:
        yield _read(log, (evidence,), "other_logs")


def _read(log: LogSummary, cites: tuple[str, ...], slot: Slot) -> Claim:
    """Which log it is that is spoken of, and how much of it was read."""
    values = figures(log=log.source, records=log.records, first=log.first, last=log.last)
    return Claim(slot, "log_read", log.source, values, cites)


def standing(log: LogSummary, cites: tuple[str, ...]) -> Claim:
    """That the log goes on changed, or that nothing changed in it: the licence says what is so."""
    if log.changed:
        return of_state(log, log_state.LogState("going-on"), cites)
    return of_state(log, log_state.LogState("steady"), cites)


def of_state(
    log: LogSummary, state: LogState, cites: tuple[str, ...], slot: Slot = "changed"
) -> Claim:
    """One state of the log with its figures."""
    before, after = log_sentences.error_rates(log) if log.changed else (None, None)
    rose = risen(log) if "latency" in log.changed else None
    return Claim(
        slot,
        kind_of(state),
        log.source,
        figures(
            log=log.source,
            since=state.since,
            until=state.until,
            ago_s=state.ago_s,
            per_s_before=state.before,
            per_s_after=state.after,
            error_rate_before=before,
            error_rate_after=after,
            latency_measure=rose[0] if rose else None,
            latency_before=rose[1] if rose else None,
            latency_after=rose[2] if rose else None,
            requests=log.extent.requests,
            errors=log.extent.errors,
            dated=_dated(log),
            says=log_sentences.sentence(log, state, moment),
        ),
        cites,
    )


def _dated(log: LogSummary) -> bool:
    """Whether its moments need their day: it spans more than one, or is not of today."""
    if log.first is None:
        return False
    last = max(log.extent.read_at or 0.0, log.extent.last_line or 0.0, log.last or log.first)
    return last // _DAY_S != log.first // _DAY_S and last - log.first > _DAY_S / 2


def kind_of(state: LogState) -> str:
    """The kind of claim of a state: `log_going_on`."""
    return f"log_{state.kind.replace('-', '_')}"


def _onset(log: LogSummary, cites: tuple[str, ...], now: float) -> Claim:
    if log.onset is None:
        return Claim("onset", "onset_unknown", log.source, figures(log=log.source), cites)
    return Claim(
        "onset",
        "onset_known",
        log.source,
        figures(
            log=log.source,
            earliest=log.onset.earliest,
            latest=log.onset.latest,
            confidence=log.onset.confidence,
            baseline_seen=log.onset.baseline_seen,
            began=log.began,
            # How long ago it was can be said only if the times name their zone.
            now=now if log.extent.zoned else None,
        ),
        cites,
    )


def _bad_means(log: LogSummary, cites: tuple[str, ...]) -> Claim:
    rates = log.claims_rates and bool(log.before_total) and bool(log.after_total)
    values = figures(
        log=log.source,
        bad=log.bad_means,
        error=log.error_means,
        before=log.before_bad / log.before_total if rates else None,
        after=log.after_bad / log.after_total if rates else None,
        baseline_seen=log.onset.baseline_seen if log.onset else None,
        bursts=log_state.judge(log).kind == "comes-and-goes",
        failures="errors" not in log.judged and log.extent.errors > 0,
    )
    return Claim("bad_means", "bad_means", log.source, values, cites)


def _correlate(log: LogSummary, item: Correlate, cites: tuple[str, ...]) -> Claim:
    return Claim(
        "affected",
        "set_hit",
        ", ".join(f"{field}={value}" for field, value in item.values),
        figures(
            log=log.source,
            support=item.support,
            of=log.after_bad,
            share_of_excess=item.share_of_excess if log.claims_rates else None,
            lift=item.lift if log.claims_rates else None,
        ),
        cites,
    )


def _rest(log: LogSummary, cites: tuple[str, ...]) -> Iterator[Claim]:
    """What changed beside that which has correlates."""
    rest = [outcome for outcome in log.changed if outcome not in log.judged]
    if log.judged and rest:
        what = " and ".join(rest)
        yield Claim("affected", "rest_for_everyone", what, figures(log=log.source), cites)


def _outcome(log: LogSummary, item: OutcomeField, cites: tuple[str, ...]) -> Claim:
    """The plainest one of them, with the names of the others that are shown."""
    others = " and ".join(o.field for o in log.outcomes if o is not item)
    return Claim(
        "log_says",
        "outcome_field",
        f"{item.field}={item.value}",
        figures(log=log.source, bad=item.bad, good=item.good, others=others),
        cites,
    )


def _spread(log: LogSummary, cites: tuple[str, ...]) -> Claim:
    """That it is everyone: the licence says whether a field was there to test it."""
    spread = log_spread.spread(log)
    hit = [r for r in log.blast_radius if r.field in spread.fields]
    every = [v for r in hit for v in r.affected]
    rates = log.claims_rates and bool(every)
    return Claim(
        "affected",
        "every_value_hit",
        ", ".join(r.field for r in hit),
        figures(
            log=log.source,
            fields=len(hit),
            low=min(v.after_rate for v in every) if rates else None,
            high=max(v.after_rate for v in every) if rates else None,
            says=log_sentences.everyone(
                log, log_spread.spread(log), over=log_state.judge(log).over
            ),
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
            if not values or same in seen or (side == "affected" and _all_hit(radius, log)):
                continue
            seen.add(same)
            yield _values(side, log, radius.field, values, cites)


def _values(
    side: Slot,
    log: LogSummary,
    field: str,
    values: tuple[AffectedValue, ...],
    cites: tuple[str, ...],
) -> Claim:
    kind = {"affected": "values_hit", "unaffected": "values_spared", "unknown": "values_unknown"}
    rates = log.claims_rates
    shown = tuple(
        Figure(
            "value",
            v.requests if side == "unknown" else v.after_rate if rates else None,
            v.value,
            "requests" if side == "unknown" else "1",
        )
        for v in values[:SHOWN_VALUES]
    )
    counts = figures(log=log.source, values=len(values))
    return Claim(side, kind[side], field, (*shown, *counts), cites)


def _all_hit(radius: BlastRadius, log: LogSummary) -> bool:
    """Whether a field parts nobody: no value of it is spared, and those that are hit are hit as all are."""
    if len(radius.affected) < 2 or radius.unaffected:  # noqa: PLR2004 - one is no everybody
        return False
    if not radius.unknown:
        return True
    every = log.after_bad / log.after_total if log.after_total else 0.0
    return all(_as_all(v, every) for v in radius.affected)


def _as_all(value: AffectedValue, every: float) -> bool:
    """Whether its rate may be that of all, as one of many that are looked at."""
    low = value.after_rate - _WIDER * (value.after_rate - value.low)
    high = value.after_rate + _WIDER * (value.high - value.after_rate)
    return low <= every <= high


def _telling(radius: BlastRadius, log: LogSummary) -> tuple[bool, bool, str]:
    """Fields of the correlates first, then those that separate, then by name."""
    correlated = {field for c in log.correlates for field, _ in c.values}
    separates = bool(radius.affected) and bool(radius.unaffected)
    return radius.field not in correlated, not separates, radius.field


def _alarms(log: LogSummary, cites: tuple[str, ...]) -> Iterator[Claim]:
    """Lines that are new and say that something broke, beside a change."""
    if log.changed and log_state.judge(log).kind != "alarms":  # else it is the state's own sentence
        for text in log_sentences.more_alarms(log, moment):
            values = figures(log=log.source, dated=_dated(log), says=text)
            yield Claim("log_says", "log_alarm", log.source, values, cites)
