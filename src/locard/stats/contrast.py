"""How much a set of field=value pairs says about the bad requests.

Two contrasts at once: after the onset against before it, and inside the set against outside of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma

from locard.stats.intervals import difference_evidence, excess_evidence

Pair = tuple[str, str]  # field and value
Values = tuple[Pair, ...]

_STRAY = 0.05  # of the excess
_BORROWED = 20.0  # requests that a small cell borrows from the whole for its earlier rate
# A rate that moves by this much is noise, however many requests say so: the same as in `logs.change`,
# where a change below 1.2 times is nobody's business.
_NOISE = 0.2
_HIGHEST_TYPICAL = 0.5  # above it "affected" would mean "nearly all fail"
_ALMOST_NEVER = 1e-6


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests and bad ones before and after the onset."""

    before_total: int
    before_bad: int
    after_total: int
    after_bad: int

    def __add__(self, other: Counts) -> Counts:
        """Both together; they must not overlap."""
        return Counts(
            self.before_total + other.before_total,
            self.before_bad + other.before_bad,
            self.after_total + other.after_total,
            self.after_bad + other.after_bad,
        )

    def __sub__(self, part: Counts) -> Counts:
        """The rest without a part of it."""
        return Counts(
            self.before_total - part.before_total,
            self.before_bad - part.before_bad,
            self.after_total - part.after_total,
            self.after_bad - part.after_bad,
        )

    @property
    def before_rate(self) -> float:
        """Share of bad requests before; 0 where nothing is known of it."""
        return self.before_bad / self.before_total if self.before_total else 0.0

    @property
    def after_rate(self) -> float:
        """Share of bad requests after; 0 where there are none."""
        return self.after_bad / self.after_total if self.after_total else 0.0


@dataclass(frozen=True, slots=True)
class Contrast:
    """Judges parts of `whole`, which is all requests that are compared.

    Where nothing is known of before, the rate of all stands in for it: then only inside against
    outside is judged.
    """

    whole: Counts

    @property
    def usual_rate(self) -> float:
        """The share of bad requests to expect of a part that nothing else is known of."""
        return self.whole.before_rate if self.whole.before_total else self.whole.after_rate

    def base_rate(self, part: Counts) -> float:
        """Its own earlier share of bad requests, drawn to the usual one where it had few."""
        # Differences of estimated counts may be below nothing by a few.
        total = max(0, part.before_total) + _BORROWED
        return (max(0, part.before_bad) + _BORROWED * self.usual_rate) / total

    def excess(self, part: Counts) -> float:
        """Bad requests more than its own earlier rate would have given."""
        return part.after_bad - part.after_total * self.base_rate(part)

    def worth(self, part: Counts) -> float:
        """Excess bad requests beyond its share of the traffic (weighted relative accuracy).

        A set that holds everyone is worth nothing, and so is one that leaves most of the bad
        requests out: the largest value marks the smallest set that explains the most.
        """
        if not self.whole.after_total:
            return 0.0
        spread = self.excess(self.whole) / self.whole.after_total
        return self.excess(part) - part.after_total * spread

    def drift(self, part: Counts) -> float:
        """By how much those outside of `part` got worse too, 1 or more: that is no sign of it."""
        outside = self.whole - part
        expected = outside.after_total * self.base_rate(outside)
        return max(1.0, (outside.after_bad + 1) / (expected + 1))

    def evidence(self, part: Counts, *, drifts: bool = True) -> float:
        """How surprising `part` is if it is like the others and like before, in nats.

        The weaker of two contrasts: inside against outside, and after against before. If those
        outside got worse as well, it has to be more than by their factor, unless not `drifts`.
        """
        outside = self.whole - part
        if part.after_rate <= outside.after_rate:
            return 0.0
        sideways = difference_evidence(
            part.after_bad, part.after_total, outside.after_bad, outside.after_total
        )
        if not self.whole.before_total:
            return sideways
        # Few errors outside are stray ones, and no drift: of next to nothing they would be much.
        spread = drifts and self.excess(outside) >= _STRAY * self.excess(self.whole)
        return min(sideways, self._rise(part, self.drift(part) if spread else 1.0))

    def _rise(self, part: Counts, drift: float) -> float:
        """How surprising the later count is if the rate only rose by `drift`, in nats.

        Of all bad requests, before and after, a known share would be later ones (the conditional
        test of two Poisson rates), however few they are.
        """
        bad, total = part.before_bad + _BORROWED * self.usual_rate, part.before_total + _BORROWED
        if part.before_bad + part.before_total * self.usual_rate < 1:
            # Its own past says nothing: that of all stands for it.
            bad, total = self.whole.before_bad, self.whole.before_total
        weight = part.after_total * drift
        return excess_evidence(part.after_bad, part.after_bad + bad, weight / (weight + total))

    def affected(self, part: Counts, typical_rate: float, drift: float = 1.0) -> float:
        """Log of the odds that `part` is affected, rather than as it was (natural logarithm).

        Affected: its rate may be anything, with `typical_rate` in the mean (as wide as a mean
        allows, an exponential distribution; its conjugate is Beta(1, b)). As it was: its earlier
        rate times `drift`, as well as it is known, and never better than rates hold still. Both
        marginal likelihoods are beta-binomial; the value is the logarithm of the Bayes factor.
        """
        rate = min(max(self.base_rate(part) * drift, _ALMOST_NEVER), 1 - _ALMOST_NEVER)
        steady = (1 - rate) / rate / _NOISE**2
        known = min(max(0, part.before_total) + _BORROWED, steady)
        typical = min(max(typical_rate, _ALMOST_NEVER), _HIGHEST_TYPICAL)
        hits = max(0, part.after_bad)  # differences of estimated counts may be off by a few
        total = max(hits, part.after_total)
        return _beta_binomial(hits, total, 1.0, 1 / typical - 1) - _beta_binomial(
            hits, total, rate * known, (1 - rate) * known
        )


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _beta_binomial(hits: int, total: int, a: float, b: float) -> float:
    """Log probability of one order of `hits` among `total` whose rate is drawn from Beta(a, b)."""
    return _log_beta(hits + a, total - hits + b) - _log_beta(a, b)
