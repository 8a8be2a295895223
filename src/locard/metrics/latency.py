"""How long calls take: quantiles, the mean and the share of slow ones, before and now.

Quantiles come from bucket counts that are added up, never from averaged quantiles, and the bounds
of the bucket they rest on are shown. One above the last bound, or below the only one, is no number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.metrics import conventions
from locard.metrics.families import distributions, quantiles, sums
from locard.model import wording
from locard.model.facts import GoldenSignal
from locard.stats.intervals import binomial_tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.metrics.conventions import Subject
    from locard.metrics.golden import Scrape
    from locard.metrics.histograms import Distribution, Exemplar, Quantile
    from locard.metrics.text_format import Labels

QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
RARE = 0.05  # a call is slow that takes longer than all but this share of the calls before
# What had hardly happened before has an unknown rate, but for "rare".
LEAST_SHARE = 0.005
MAX_SUBJECTS = 50

_TAIL = QUANTILES[-1][1]

_Pair = list["Distribution | None"]


def latency(first: Scrape, second: Scrape | None, *, anew: bool = False) -> Iterator[GoldenSignal]:
    """The latency signals of every family of durations; `anew`: all that the second one counts is new."""
    units = {**first.exposition.units, **(second.exposition.units if second else {})}
    before = _measured(first)
    after = _measured(second) if second else {}
    for base in sorted(before.keys() | after.keys()):
        scale = conventions.seconds(base, units.get(base, ""))
        if scale is None:
            continue
        earlier, later = before.get(base, {}), after.get(base, {})
        subjects: dict[Subject, _Pair] = {}
        for labels in sorted(earlier.keys() | later.keys()):
            subject = conventions.subject(base, labels)
            if subject is None:
                continue
            pair = subjects.setdefault(subject, [None, None])
            pair[0] = _add(pair[0], earlier.get(labels))
            if labels in later:
                pair[1] = _add(pair[1], later[labels].minus(None if anew else earlier.get(labels)))
        for subject, (then, now) in _busiest(subjects):
            yield from _distribution(base, subject, scale, then, now)
    yield from _summaries(first, second, units)


def _measured(scrape: Scrape) -> dict[str, dict[Labels, Distribution]]:
    """Histograms, and of summaries count and sum."""
    found = distributions(scrape.exposition)
    for base, by_labels in sums(scrape.exposition).items():
        found.setdefault(base, {}).update(by_labels)
    return found


def _summaries(
    first: Scrape, second: Scrape | None, units: dict[str, str]
) -> Iterator[GoldenSignal]:
    """The quantiles that summaries give, each series for itself: they can be neither added nor subtracted."""
    before = quantiles(first.exposition)
    after = quantiles(second.exposition) if second else {}
    shown = 0
    for base in sorted(before.keys() | after.keys()):
        scale = conventions.seconds(base, units.get(base, ""))
        then, now = before.get(base, {}), after.get(base, {})
        for labels in sorted(then.keys() | now.keys()):
            subject = conventions.subject(base, labels)
            if scale is None or subject is None or shown >= MAX_SUBJECTS:
                continue
            shown += 1
            rest = tuple(pair for pair in labels if pair not in subject)
            was, is_now = then.get(labels, {}), now.get(labels, {})
            for q in sorted(was.keys() | is_now.keys()):
                yield GoldenSignal(
                    signal="latency",
                    metric=base,
                    subject=(*subject, *rest, ("statistic", f"p{q * 100:g}")),
                    unit="s",
                    before=_scaled(was.get(q), scale),
                    now=_scaled(is_now.get(q), scale),
                    count=0,
                    detail="a quantile that the client keeps for this series, over a time of its own",
                )


def risen(now: float | None, count: int, before: float | None) -> float | None:
    """How likely so high a share is by chance; None where there is nothing to compare."""
    if now is None or before is None or not count:
        return None
    return binomial_tail(round(now * count), count, max(before, LEAST_SHARE))


def _add(one: Distribution | None, other: Distribution | None) -> Distribution | None:
    if one is None or other is None:
        return one or other
    return one.plus(other)


def _busiest(subjects: dict[Subject, _Pair]) -> list[tuple[Subject, _Pair]]:
    every = sorted(subjects.items(), key=lambda s: -sum(h.total for h in s[1] if h))
    return every[:MAX_SUBJECTS]


def _distribution(
    base: str, subject: Subject, scale: float, then: Distribution | None, now: Distribution | None
) -> Iterator[GoldenSignal]:
    count = int(now.total) if now else 0
    slowest, of_when = _slowest(then, now)
    slow = f", the slowest exemplar {slowest.value * scale:.3g} s{of_when}" if slowest else ""
    traces = (slowest.trace_id,) if slowest else ()
    for word, q in QUANTILES if any(len(h.bounds) > 1 for h in (then, now) if h) else ():
        was, is_now = _quantile(then, q, scale), _quantile(now, q, scale)
        yield GoldenSignal(
            signal="latency",
            metric=base,
            subject=(*subject, ("statistic", word)),
            unit="s",
            before=was.near if was else None,
            now=is_now.near if is_now else None,
            count=count,
            detail=_bounds(was, is_now) + (slow if q == _TAIL else ""),
            before_in=(was.low, was.high) if was else None,
            now_in=(is_now.low, is_now.high) if is_now else None,
            exemplars=traces if q == _TAIL else (),
        )
    yield GoldenSignal(
        signal="latency",
        metric=base,
        subject=(*subject, ("statistic", "mean")),
        unit="s",
        before=_scaled(then.mean if then else None, scale),
        now=_scaled(now.mean if now else None, scale),
        count=count,
        detail=f"sum over count, {wording.count(int(then.total) if then else 0, 'event')} before",
    )
    bound = _slow_bound(then, now)
    if then is not None and bound is not None:
        before, over = then.over(bound), now.over(bound) if now else None
        yield GoldenSignal(
            signal="latency",
            metric=base,
            subject=(*subject, ("statistic", "share_over")),
            unit="1",
            before=before,
            now=over,
            count=count,
            limit=bound * scale,
            p_value=risen(over, count, before),
            detail=f"share of calls over {bound * scale:g} s, {wording.count(int(then.total), 'event')} before",
        )


def _slowest(then: Distribution | None, now: Distribution | None) -> tuple[Exemplar | None, str]:
    """The exemplar of the slowest bucket that has one, and when it is from where that is not now.

    One of now is taken only if it is of the slow calls of now: of a quick one there is mostly an exemplar, too.
    """
    slow = now.quantile(QUANTILES[-2][1]) if now else None
    least = slow.low if slow and slow.low is not None else 0.0
    new = [e for e in now.exemplars if e.value >= least] if now else []
    for some, words in ((new, ""), (then.exemplars if then else (), ", from before")):
        if some:
            return max(some, key=lambda e: e.value), words
    return None, ""


def _slow_bound(then: Distribution | None, now: Distribution | None) -> float | None:
    """The lowest bound that all but a few of the earlier calls stayed below, and that now can be told at."""
    if then is None:
        return None
    # A native histogram may have become coarser meanwhile.
    told = (b for b in then.bounds[:-1] if not now or now.total <= 0 or now.over(b) is not None)
    return next((b for b in told if (then.over(b) or 0.0) <= RARE), None)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _quantile(one: Distribution | None, q: float, scale: float) -> Quantile | None:
    found = one.quantile(q) if one else None
    return found.scaled(scale) if found else None


def _bounds(then: Quantile | None, now: Quantile | None) -> str:
    said = [
        f"{word} {found.bucket_words()}"
        for word, found in (("before", then), ("now", now))
        if found
    ]
    return ", ".join(said)
