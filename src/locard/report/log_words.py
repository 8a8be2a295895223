"""What a log says of change, onset and blast radius, in words that every report uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import log_sentences
from locard.model.headline import share
from locard.model.log_state import judge
from locard.model.wording import shorten
from locard.report import times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from locard.model.log_facts import AffectedValue, BlastRadius, Correlate, LogSummary

_SHOWN_VALUES = 4
_LONGEST = 60  # characters of a value


def states(log: LogSummary, tz: tzinfo | None) -> Iterator[str]:
    """How the log stands, a sentence each: the one that matters most first."""
    state = judge(log)
    dated = log.first is not None and not times.same_day(
        log.first, log.extent.last_line or log.first, tz
    )

    def clock(at: float) -> str:
        return times.day(at, tz) if dated else times.clock(at, tz, zone=True)

    for one in (state, *state.further):
        yield log_sentences.sentence(log, one, clock)
    if log.changed and state.kind != "alarms":
        for line in log_sentences.alarms(log, clock):
            yield f"New since then: {line}"


def hit_everyone(log: LogSummary) -> str:
    """What changed beside that which has correlates; empty where that is all."""
    rest = [outcome for outcome in log.changed if outcome not in log.judged]
    if not log.correlates or not log.judged or not rest:
        return ""
    return f"{' and '.join(rest).capitalize()} changed for everyone."


def bad_means(log: LogSummary) -> str:
    """What makes a request a bad one, in this log and for this change: said where "bad" is used."""
    if log.bad_means == log.error_means:
        return f"failed: {log.error_means}"
    slower = log.bad_means.removeprefix(f"{log.error_means}, or ")
    if slower != log.bad_means:
        return f"failed ({log.error_means}), or {slower}"
    return log.bad_means


def coverage(log: LogSummary) -> str:
    """Why no rate is claimed; empty where the log has every request."""
    if log.claims_rates:
        return ""
    what = {
        "errors-only": "errors only",
        "sampled": "a sample",
        "rate-limited": "what a limit let through",
    }
    return f"The log holds {what.get(log.coverage.kind, 'a part')} ({log.coverage.why}): no rate is claimed."


def radius(log: LogSummary, side: str) -> Iterator[str]:
    """One side of the blast radius (affected, unaffected, unknown), a line a field, what tells first."""
    if not log.changed:
        return
    seen: set[frozenset[tuple[str, int]]] = set()
    everywhere: list[BlastRadius] = []
    for one in sorted(log.blast_radius, key=lambda r: _telling(r, log)):
        values: tuple[AffectedValue, ...] = getattr(one, side)
        same = frozenset((v.value, v.requests) for v in values)
        if not values or same in seen:  # two fields that say the same are one line
            continue
        seen.add(same)
        others = sum(len(getattr(one, s)) for s in ("affected", "unaffected", "unknown"))
        if side == "affected" and len(values) == others and others > 1:
            everywhere.append(one)
        else:
            shown = ", ".join(_value(log, v, side) for v in values[:_SHOWN_VALUES])
            more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
            yield f"{one.field}: {shown}{more}"
    if everywhere:
        fields = ", ".join(r.field for r in everywhere)
        rates = _rates(tuple(v for r in everywhere for v in r.affected))
        yield f"every value of {fields}" + (f": {rates}" if log.claims_rates else "")


def correlate(log: LogSummary, item: Correlate) -> str:
    """A set of values, and how much of the trouble it explains."""
    values = ", ".join(f"{field}={value}" for field, value in item.values)
    if not log.claims_rates:
        return f"{values}: {item.support:,} of {log.after_bad:,} bad requests"
    lift = f", {item.lift:.0f} times the usual rate" if item.lift >= 2 else ""  # noqa: PLR2004 - less says little
    return f"{values}: {share(item.share_of_excess, 1)} of the excess{lift}"


def _telling(one: BlastRadius, log: LogSummary) -> tuple[bool, bool, str]:
    """Fields of the correlates first, then those that separate, then by name."""
    correlated = {field for c in log.correlates for field, _ in c.values}
    separates = bool(one.affected) and bool(one.unaffected)
    return one.field not in correlated, not separates, one.field


def _value(log: LogSummary, value: AffectedValue, side: str) -> str:
    name = shorten(value.value, _LONGEST)
    if side == "affected" and log.claims_rates:
        return f"{name} {share(value.after_rate, 1)}"
    return f"{name} ({value.requests} requests)" if side == "unknown" else name


def _rates(values: tuple[AffectedValue, ...]) -> str:
    low, high = min(v.after_rate for v in values), max(v.after_rate for v in values)
    least, most = share(low, 1), share(high, 1)
    return f"{least} bad" if least == most else f"{least} to {most} bad"
