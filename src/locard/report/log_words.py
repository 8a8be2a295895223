"""What a log says of change, onset and blast radius, in words that every report uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.headline import bad_counts, milliseconds, part_words, share
from locard.report import times

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from locard.model.log_facts import AffectedValue, BlastRadius, Correlate, LogSummary

_SHOWN_VALUES = 4
_SOON = 12 * 3600.0  # an onset that is longer ago needs its day
_LONGEST = 60  # characters of a value


def changed(log: LogSummary) -> str:
    """What changed, in one sentence."""
    if not log.records:
        return f"The log has no record that can be read ({log.lines} lines)."
    if not log.changed:
        return (
            cannot_tell(log)
            or "Nothing changed in the logs: no onset of errors or latency was found."
        )
    parts = []
    if log.of_part:
        parts.append(f"errors rose {part(log)}")
    elif "errors" in log.changed and log.claims_rates:
        before, after = error_rates(log)
        parts.append(f"errors rose from {before} to {after}")
    elif "errors" in log.changed:
        parts.append(f"errors became more: {bad_counts(log)}")
    if "latency" in log.changed:
        early, late = milliseconds(log.before_p99_ms), milliseconds(log.after_p99_ms)
        parts.append(f"p99 latency rose from {early} to {late}")
    text = " and ".join(parts)
    kind = f" ({log.shape})" if log.shape != "unknown" else ""
    rest = hit_everyone(log)
    return text[:1].upper() + text[1:] + kind + "." + (f" {rest}" if rest else "")


def hit_everyone(log: LogSummary) -> str:
    """What changed beside that which has correlates; empty where that is all."""
    rest = [outcome for outcome in log.changed if outcome not in log.judged]
    if not log.correlates or not log.judged or not rest:
        return ""
    return f"{' and '.join(rest).capitalize()} changed for everyone."


def part(log: LogSummary) -> str:
    """Whom a rise is about that does not show among all requests, and what it is there."""
    rates = ""
    for shape in log.shapes:
        if shape.measure == "errors" and shape.before is not None and shape.after is not None:
            rates = f", from {share(shape.before, 1)} to {share(shape.after, 1)}"
    said = f"for {part_words(log)} only{rates if log.claims_rates else ''}"
    return f"{said}: too few to show among all"


def cannot_tell(log: LogSummary) -> str:
    """Why it is not known whether anything changed; empty where it is."""
    if log.first is None:
        return "Whether anything changed cannot be told: its records have no times."
    blind = log.error_means.startswith("no field")
    if blind and any(gap.startswith("no duration") for gap in log.gaps):
        return "Whether errors or latency changed cannot be told: no field says what either is."
    return ""


def error_rates(log: LogSummary) -> tuple[str, str]:
    """The share of errors before and after the onset, in words."""
    if log.onset is None:
        return "unknown", "unknown"
    before = [p for p in log.series if p.start + p.width_s <= log.onset.earliest]
    after = [p for p in log.series if p.start >= log.onset.latest]
    return (
        share(sum(p.errors for p in before), sum(p.total for p in before)),
        share(sum(p.errors for p in after), sum(p.total for p in after)),
    )


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


def onset(log: LogSummary, now: float, tz: tzinfo | None) -> str:
    """When it began, and how long ago that is at `now`."""
    if log.onset is None:
        return "No onset is known."
    ago = max(0.0, now - log.onset.latest)
    when = times.interval(log.onset, tz, dated=ago > _SOON)
    sure = f"{100 * log.onset.confidence:.0f} % interval"
    return f"{when} ({sure}), {times.ago(ago)} before the investigation began."


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
    name = value.value if len(value.value) <= _LONGEST else value.value[: _LONGEST - 1] + "…"
    if side == "affected" and log.claims_rates:
        return f"{name} {share(value.after_rate, 1)}"
    return f"{name} ({value.requests} requests)" if side == "unknown" else name


def _rates(values: tuple[AffectedValue, ...]) -> str:
    low, high = min(v.after_rate for v in values), max(v.after_rate for v in values)
    return f"{share(low, 1)} to {share(high, 1)} bad"
