"""Histograms: counts of events by size, as a page gives them, and what may be said of their quantiles.

Two kinds with one interface. A classic one has cumulative counts at bounds that somebody chose. A
native one has buckets that grow by a constant factor, 2^(2^-schema), so that bounds are close
everywhere; or bounds of its own (schema -53, what classic buckets are stored as).

All bounds and sums are in the unit of the family, all counts are events. Adding never loses a
count: where bounds differ, those that both share are kept, and of a classic and a native one only
count and sum. A quantile is told between two bounds, and as a number only where both are known.
Source: the Prometheus specification of native histograms; OpenTelemetry's exponential histogram.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from locard.metrics import buckets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locard.metrics.buckets import Buckets

CUSTOM = -53  # the schema of native histograms whose bounds are listed
SCHEMAS = range(-4, 9)
_MOST_EXEMPLARS = 20
_SAME = 1e-12  # of a bound: two ways to compute it


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One event of a bucket: its trace, its size, and when it was seen (Unix seconds)."""

    trace_id: str
    value: float
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Quantile:
    """Between which two bounds a quantile lies: above `low`, up to `high`.

    `high` None: above the last bound, how far is not known. `low` None: nothing finer is known
    below `high`. `near` is the number in between by interpolation, only where both are known.
    """

    low: float | None
    high: float | None
    near: float | None = None

    def scaled(self, scale: float) -> Quantile:
        """The same in another unit."""
        return Quantile(
            *(None if v is None else v * scale for v in (self.low, self.high, self.near))
        )

    def words(self, unit: str = "s") -> str:
        """`> 1 s`, `<= 0.1 s, nothing finer` or `0.31 s`."""
        if self.near is not None:
            return f"{self.near:.3g} {unit}"
        if self.low is not None:
            return f"> {self.low:g} {unit}"
        return "unknown" if self.high is None else f"<= {self.high:g} {unit}, nothing finer"

    def bucket_words(self, unit: str = "s") -> str:
        """The bucket it lies in: `in the bucket 0.1 to 0.5 s`, or what is known where it has one end."""
        if self.near is None:
            return self.words(unit)
        return f"in the bucket {self.low:g} to {self.high:g} {unit}"


@dataclass(frozen=True, slots=True)
class Histogram:
    """A classic histogram: cumulative counts by upper bound, the last bound is infinity."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    total: float
    sum: float | None
    exemplars: tuple[Exemplar, ...] = field(default=(), compare=False)

    def since(self, earlier: Histogram) -> Histogram | None:
        """What came since the earlier scrape; None if it was reset in between."""
        if earlier.bounds != self.bounds or self.total < earlier.total:
            return None
        counts = tuple(a - b for a, b in zip(self.counts, earlier.counts, strict=True))
        if any(count < 0 for count in counts):
            return None
        total, exemplars = self.total - earlier.total, _new(self.exemplars, earlier.exemplars)
        return Histogram(self.bounds, counts, total, _minus(self.sum, earlier.sum), exemplars)

    def minus(self, earlier: Distribution | None) -> Histogram:
        """What came since the earlier scrape; all of it after a counter reset."""
        return (self.since(earlier) if isinstance(earlier, Histogram) else None) or self

    def plus(self, other: Distribution) -> Histogram:
        """Both together, at the bounds that both have."""
        if not isinstance(other, Histogram):
            return self.bare().plus(other.bare())
        mine, theirs = (dict(zip(h.bounds, h.counts, strict=True)) for h in (self, other))
        bounds = tuple(b for b in self.bounds if b in theirs)
        counts = tuple(mine[b] + theirs[b] for b in bounds)
        exemplars = _slowest((*self.exemplars, *other.exemplars))
        total = self.total + other.total
        return Histogram(bounds, counts, total, _plus(self.sum, other.sum), exemplars)

    def bare(self) -> Histogram:
        """Count and sum alone."""
        return Histogram((math.inf,), (self.total,), self.total, self.sum, self.exemplars)

    @property
    def mean(self) -> float | None:
        """Sum over count, in the unit of the bounds; None where that is no number."""
        return _mean(self.sum, self.total)

    def over(self, bound: float) -> float | None:
        """The share of events above one of the bounds."""
        if self.total <= 0 or bound not in self.bounds:
            return None
        return (self.total - self.counts[self.bounds.index(bound)]) / self.total

    def bucket(self, q: float) -> tuple[float, float] | None:
        """The bounds of the bucket that holds the q-th quantile; below all bounds that are > 0 lies 0."""
        if self.total <= 0 or not self.bounds:
            return None
        low = 0.0 if 0 < self.bounds[0] < math.inf else -math.inf
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if count >= q * self.total and count > 0:
                return low, bound
            low = bound
        return low, math.inf

    def quantile(self, q: float) -> Quantile | None:
        """Where the q-th quantile lies, linear inside its bucket; no number in an open bucket."""
        found = self.bucket(q)
        if found is None:
            return None
        low, high = found
        if math.isinf(low) or math.isinf(high):
            return Quantile(_finite(low), _finite(high))
        at = self.bounds.index(high)
        if at == 0 and self.counts[0] >= self.total:
            return Quantile(
                None, high
            )  # everything lies in the first bucket: 0 is only where it begins
        below = self.counts[at - 1] if at else 0.0
        return Quantile(
            low, high, low + (high - low) * _inside(q * self.total, below, self.counts[at])
        )


@dataclass(frozen=True, slots=True)
class NativeHistogram:
    """A native histogram: counts by bucket number, each bucket for itself, in rising order.

    Bucket n of `positive` reaches from base^(n-1) to base^n, that of `negative` is its mirror;
    `zero_count` is what lies within `zero_threshold` of 0. With schema -53 the bucket n reaches
    from `custom[n-1]` to `custom[n]`. Values that are no number are in `total` and in no bucket.
    """

    schema: int
    zero_threshold: float
    zero_count: float
    positive: Buckets
    negative: Buckets
    total: float
    sum: float | None
    custom: tuple[float, ...] = ()
    exemplars: tuple[Exemplar, ...] = field(default=(), compare=False)

    @property
    def bounds(self) -> tuple[float, ...]:
        """The upper bounds of the buckets that hold anything, then infinity."""
        return (*(high for _, high, _ in self._buckets() if high < math.inf), math.inf)

    def since(self, earlier: NativeHistogram) -> NativeHistogram | None:
        """What came since the earlier scrape; None if it was reset in between.

        A client gives up resolution as it fills, and gets it back by a reset only.
        """
        if earlier.custom != self.custom or _is_custom(earlier) != _is_custom(self):
            return None
        if earlier.schema < self.schema or earlier.zero_threshold > self.zero_threshold:
            return None
        then, now = aligned(earlier, self)
        positive, negative = (
            buckets.left(now.positive, then.positive),
            buckets.left(now.negative, then.negative),
        )
        zero, total = now.zero_count - then.zero_count, now.total - then.total
        if positive is None or negative is None or zero < 0 or total < 0:
            return None
        return replace(
            now,
            zero_count=zero,
            positive=positive,
            negative=negative,
            total=total,
            sum=_minus(now.sum, then.sum),
            exemplars=_new(now.exemplars, then.exemplars),
        )

    def minus(self, earlier: Distribution | None) -> NativeHistogram:
        """What came since the earlier scrape; all of it after a counter reset."""
        return (self.since(earlier) if isinstance(earlier, NativeHistogram) else None) or self

    def plus(self, other: Distribution) -> Distribution:
        """Both together, at the lower resolution; count and sum alone where bounds do not fit."""
        if isinstance(other, Histogram) or _is_custom(self) != _is_custom(other):
            return self.bare().plus(other.bare())
        if self.custom != other.custom:
            return self.classic().plus(other.classic())
        one, two = aligned(self, other)
        return replace(
            one,
            zero_count=one.zero_count + two.zero_count,
            positive=buckets.added(one.positive, two.positive),
            negative=buckets.added(one.negative, two.negative),
            total=one.total + two.total,
            sum=_plus(one.sum, two.sum),
            exemplars=_slowest((*one.exemplars, *two.exemplars)),
        )

    def bare(self) -> Histogram:
        """Count and sum alone."""
        return Histogram((math.inf,), (self.total,), self.total, self.sum, self.exemplars)

    def classic(self) -> Histogram:
        """One with listed bounds as a classic histogram: the same counts, added up."""
        by, counts, so_far = dict(self.positive), [], 0.0
        for at in range(len(self.custom) + 1):
            so_far += by.get(at, 0.0)
            counts.append(so_far)
        bounds = (*self.custom, math.inf)
        return Histogram(bounds, tuple(counts), self.total, self.sum, self.exemplars)

    @property
    def mean(self) -> float | None:
        """Sum over count, in the unit of the bounds; None where that is no number."""
        return _mean(self.sum, self.total)

    def over(self, bound: float) -> float | None:
        """The share of events above a bound; None where a bucket reaches across it."""
        every = list(self._buckets())
        mass = sum(count for _, _, count in every)
        least, most = sorted((bound * (1 - _SAME), bound * (1 + _SAME)))
        if mass <= 0 or any(low < least and most < high for low, high, _ in every):
            return None
        return sum(count for low, _, count in every if low >= least) / mass

    def bucket(self, q: float) -> tuple[float, float] | None:
        """The bounds of the bucket that holds the q-th quantile."""
        found = self._at(q)
        return found[:2] if found else None

    def quantile(self, q: float) -> Quantile | None:
        """Where the q-th quantile lies, by the bucket's growth inside it; no number in an open bucket."""
        found = self._at(q)
        if found is None:
            return None
        low, high, share = found
        if math.isinf(low) or math.isinf(high):
            return Quantile(_finite(low), _finite(high))
        if _is_custom(self):
            if high == self.custom[0] and dict(self.positive).get(0, 0.0) >= self.total:
                return Quantile(None, high)
        elif low > 0 or high < 0:
            return Quantile(low, high, low * (high / low) ** share)
        return Quantile(low, high, low + (high - low) * share)

    def _at(self, q: float) -> tuple[float, float, float] | None:
        """The bucket of the q-th quantile, and how far inside of it."""
        every = list(self._buckets())
        wanted, below = q * sum(count for _, _, count in every), 0.0
        for low, high, count in every:
            if below + count >= wanted:
                return low, high, _inside(wanted, below, below + count)
            below += count
        return (*every[-1][:2], 1.0) if every else None  # rounding

    def _buckets(self) -> Iterator[tuple[float, float, float]]:
        """Those that hold anything: lower bound, upper bound, count; rising."""
        if _is_custom(self):
            edges = (
                0.0 if self.custom and self.custom[0] > 0 else -math.inf,
                *self.custom,
                math.inf,
            )
            yield from ((edges[n], edges[n + 1], c) for n, c in self.positive if c > 0)
            return
        for n, count in reversed(self.negative):
            if count > 0:
                yield (
                    -buckets.bound_of(self.schema, n),
                    -buckets.bound_of(self.schema, n - 1),
                    count,
                )
        if self.zero_count > 0:
            yield (
                (-self.zero_threshold if self.negative else 0.0),
                self.zero_threshold,
                self.zero_count,
            )
        for n, count in self.positive:
            if count > 0:
                yield buckets.bound_of(self.schema, n - 1), buckets.bound_of(self.schema, n), count

    def at(self, schema: int, zero_threshold: float) -> NativeHistogram:
        """The same at a lower resolution and with a wider zero bucket, or wider still where it cuts a bucket."""
        by, wide = self.schema - schema, zero_threshold
        positive, negative = buckets.coarser(self.positive, by), buckets.coarser(self.negative, by)
        if wide <= self.zero_threshold:
            return replace(self, schema=schema, positive=positive, negative=negative)
        inside = [n for n, _ in (*positive, *negative) if buckets.bound_of(schema, n - 1) < wide]
        wide = max([wide, *(buckets.bound_of(schema, n) for n in inside)])
        return replace(
            self,
            schema=schema,
            zero_threshold=wide,
            zero_count=self.zero_count + sum(c for n, c in (*positive, *negative) if n in inside),
            positive=tuple((n, c) for n, c in positive if n not in inside),
            negative=tuple((n, c) for n, c in negative if n not in inside),
        )


Distribution = Histogram | NativeHistogram


def aligned(
    one: NativeHistogram, other: NativeHistogram
) -> tuple[NativeHistogram, NativeHistogram]:
    """Both at the lower resolution and with the wider zero bucket: the same bounds."""
    if _is_custom(one):
        return one, other
    schema, wide = min(one.schema, other.schema), max(one.zero_threshold, other.zero_threshold)
    for _ in range(4):  # a bucket that the zero bucket cuts widens it, and that of the other one
        one, other = one.at(schema, wide), other.at(schema, wide)
        if one.zero_threshold == other.zero_threshold:
            break
        wide = max(one.zero_threshold, other.zero_threshold)
    return one, other


def _is_custom(one: NativeHistogram) -> bool:
    return one.schema == CUSTOM


def _inside(wanted: float, below: float, upto: float) -> float:
    return min(max((wanted - below) / (upto - below), 0.0), 1.0) if upto > below else 1.0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _mean(total: float | None, count: float) -> float | None:
    return total / count if total is not None and count > 0 and math.isfinite(total) else None


def _each(
    one: float | None, other: float | None, way: Callable[[float, float], float]
) -> float | None:
    return None if one is None or other is None else way(one, other)


def _minus(one: float | None, other: float | None) -> float | None:
    return _each(one, other, lambda a, b: a - b)


def _plus(one: float | None, other: float | None) -> float | None:
    return _each(one, other, lambda a, b: a + b)


def _new(now: tuple[Exemplar, ...], then: tuple[Exemplar, ...]) -> tuple[Exemplar, ...]:
    return tuple(e for e in now if e not in then)


def _slowest(every: tuple[Exemplar, ...]) -> tuple[Exemplar, ...]:
    """The slowest of them, the slowest first."""
    return tuple(sorted(every, key=lambda e: -e.value)[:_MOST_EXEMPLARS])
