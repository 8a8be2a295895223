"""How strongly each measured series speaks for its component as the cause of a symptom's change.

A series' evidence is the product of four things, each of which can only weaken the others:

- surprise: how far it left its own baseline, as the log likelihood ratio of a heavy-tailed (Student)
  distribution, `log(1 + (z / 3)^2)` with the robust z-score. Large deviations saturate, so the
  widest excursion does not win by its width alone, as it does where the largest z-score wins (N-sigma;
  BARO, Pham et al. 2024);
- association: the squared correlation of the compressed z-scores with those of the symptom (Pearson's,
  as in the ranked correlation of Hardt et al., PetShop, CLeaR 2024), within the incident and together
  with as long a stretch before it. It is trusted only as far as the symptom itself is seen to change;
- share: the part of the symptom's excess (added seconds, failed requests) that the component's own
  excess times its traffic can account for, where both are measured;
- order: what moves samples after the symptom did is less likely to have caused it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = npt.NDArray[np.float64]

_NORMAL_MEDIAN = 1.4826  # the standard deviation of normal noise over its median absolute deviation
_NORMAL_MEAN = 1.2533  # and over its mean absolute deviation
_LEFT_OUT = 0.01  # of the baseline: a glitch is no spread
_FEWEST_TO_LEAVE_OUT = 20
_FEWEST_BASELINE = 2
_SMALLEST_CHANGE = 0.05  # of the level: less is no change that anyone would ask about
_STEADIEST = 0.25  # of the spreads of a kind: what was constant is no less steady than these
_OF_LARGEST = 0.03  # of the kind's largest deviation, where nothing of the kind has ever varied
_FARTHEST = 1e6  # in spreads
_SURPRISING = 3.0  # spreads
_FEWEST_PAIRS = 3
_UNKNOWN_ASSOCIATION = 0.5
_SHARED = frozenset({"latency", "errors"})  # excess times traffic is an amount that adds up
_UNKNOWN_KIND = 0.5  # "other": it may as well follow from the trouble


@dataclass(frozen=True, slots=True)
class Measure:
    """One measured series of one component on a regular grid that all measures share.

    Attributes:
        component: whose it is.
        kind: "latency" (one unit for all components), "errors" (a share of the requests, so that more
            is worse), "traffic" (requests per sample), "saturation" (more is worse) or "other".
        values: shape (T,), NaN where there is no data.
    """

    component: str
    kind: str
    values: Floats


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one measure says. `strength` is 0 where it says nothing."""

    strength: float = 0.0  # nats, weakened
    spreads: float = 0.0  # its deviation while the symptom was bad, in spreads of its baseline
    association: float = math.nan  # with the symptom, -1..1
    share: float = math.nan  # of the symptom's excess that it can account for, 0..1
    late: int = 0  # samples after the symptom
    baseline: bool = True  # whether there is one


def weigh(
    measures: Sequence[Measure], symptom: Floats, onset: int, home: Measure | None
) -> list[Evidence]:
    """The evidence of each measure.

    `onset` is the index of the first sample that is no baseline; `home` the measure that is the symptom.

    Raises:
        ValueError: if the series differ in length.
    """
    length = len(symptom)
    if any(len(m.values) != length for m in measures):
        raise ValueError("all measures must be on the grid of the symptom")
    onset = min(max(onset, 0), length)
    deviations = _deviations(measures, onset)
    asked = _Symptom.of(symptom, onset, home)
    if asked is None:
        return [Evidence(baseline=z is not None) for z in deviations]
    traffic = {m.component: m.values for m in reversed(measures) if m.kind == "traffic"}
    whole = math.nan
    if home is not None and home.kind in _SHARED:
        whole = _amount(home, traffic, asked)
    found = []
    for measure, deviation in zip(measures, deviations, strict=True):
        share = math.nan
        if home is not None and measure.kind == home.kind and whole > 0:
            share = float(np.clip(_amount(measure, traffic, asked) / whole, 0.0, 1.0))
        found.append(_evidence(measure.kind, deviation, share, asked))
    return found


@dataclass(frozen=True, slots=True)
class _Symptom:
    """The symptom, turned so that up is bad."""

    onset: int
    start: int  # of the baseline that is compared beside the incident
    deviation: Floats  # compressed, the whole series
    weights: Floats  # of the samples of the incident, by how bad they are; their sum is 1
    trust: float  # 0..1: how plainly it changed
    varies: float  # 0..1: how much of what it does within the incident is no noise
    rises_at: int  # sample of the incident

    @classmethod
    def of(cls, values: Floats, onset: int, home: Measure | None) -> _Symptom | None:
        """None where there is no incident, or no baseline to see one against."""
        kind = home.kind if home is not None else "other"
        deviation = _deviations([Measure("", kind, values)], onset)[0]
        if deviation is None or not np.isfinite(deviation[onset:]).any():
            return None
        if kind == "other" and -np.nanmin(deviation[onset:]) > np.nanmax(deviation[onset:]):
            deviation = -deviation
        worst = max(0.0, float(np.nanmax(deviation[onset:])))
        compressed = _compressed(deviation)
        weights = np.maximum(0.0, np.nan_to_num(compressed[onset:]))
        if weights.sum() <= 0:
            weights = np.isfinite(compressed[onset:]).astype(float)
        return cls(
            onset=onset,
            start=max(0, onset - max(_FEWEST_PAIRS, len(values) - onset)),
            deviation=compressed,
            weights=weights / weights.sum(),
            trust=worst / (worst + _SURPRISING),
            varies=_varies(compressed, onset),
            rises_at=_rises_at(compressed[onset:]),
        )

    def mean(self, values: Floats) -> float:
        """The mean of what was seen in the incident, where the symptom was bad; NaN counts as 0."""
        return float((self.weights * np.nan_to_num(values)).sum())


def _spread(baseline: Floats) -> tuple[float, float]:
    """The median and spread of a baseline of finite values.

    The spread is the geometric mean of two estimates of the standard deviation: from the median absolute
    deviation, which earlier incidents do not widen, and from the mean one, which knows about heavy
    tails. Few samples make it wider, as they do a prediction interval.
    """
    median = float(np.median(baseline))
    off = np.sort(np.abs(baseline - median))
    size = len(off)
    left_out = math.ceil(_LEFT_OUT * size) if size >= _FEWEST_TO_LEAVE_OUT else 0
    mean = _NORMAL_MEAN * float(np.mean(off[: size - left_out]))
    robust = _NORMAL_MEDIAN * float(np.median(off))
    return median, (math.sqrt(robust * mean) if robust > 0 else mean) * math.sqrt(1 + 4 / size)


def _deviations(measures: Sequence[Measure], onset: int) -> list[Floats | None]:
    """Robust z-scores of each series against its own baseline; None where there is none.

    A series that was constant (errors at 0, mostly) borrows the spread of the steadier of its kind.
    """
    levels: list[tuple[float, float] | None] = []
    spreads: dict[str, list[float]] = {}
    clean = [np.where(np.isfinite(m.values), m.values, np.nan).astype(float) for m in measures]
    for measure, values in zip(measures, clean, strict=True):
        baseline = values[:onset][np.isfinite(values[:onset])]
        if len(baseline) < _FEWEST_BASELINE:
            levels.append(None)
            continue
        median, spread = _spread(baseline)
        levels.append((median, max(spread, _SMALLEST_CHANGE * abs(median))))
        if spread > 0:
            spreads.setdefault(measure.kind, []).append(spread)
    largest: dict[str, float] = {}
    for measure, values, level in zip(measures, clean, levels, strict=True):
        if level is not None:
            most = float(np.nanmax(np.abs(values - level[0])))
            largest[measure.kind] = max(largest.get(measure.kind, 0.0), most)
    found: list[Floats | None] = []
    for measure, values, level in zip(measures, clean, levels, strict=True):
        if level is None:
            found.append(None)
            continue
        off, spread = values - level[0], level[1]
        if spread <= 0:
            known = spreads.get(measure.kind)
            spread = (
                float(np.quantile(known, _STEADIEST, method="lower"))
                if known
                else _OF_LARGEST * largest[measure.kind]
            )
        found.append(np.clip(off / spread, -_FARTHEST, _FARTHEST) if spread > 0 else off)
    return found


def _evidence(kind: str, deviation: Floats | None, share: float, asked: _Symptom) -> Evidence:
    """Surprise, association, share and order of one series."""
    if deviation is None:
        return Evidence(baseline=False)
    after = deviation[asked.onset :]
    if not np.isfinite(after).any():
        return Evidence()
    if kind == "other" and asked.mean(_compressed(after)) < 0:
        deviation, after = -deviation, -after
    compressed = _compressed(deviation)
    surprise = asked.mean(np.log1p((np.maximum(after, 0.0) / _SURPRISING) ** 2))
    association = _association(compressed, asked)
    trusted = asked.trust * np.nan_to_num(association) + (1 - asked.trust) * _UNKNOWN_ASSOCIATION
    late = max(0, _rises_at(compressed[asked.onset :]) - asked.rises_at)
    strength = surprise * max(0.0, float(trusted)) ** 2 / math.sqrt(1 + asked.trust * late)
    if not math.isnan(share):
        strength *= math.sqrt(share)
    if kind == "other":
        strength *= _UNKNOWN_KIND
    return Evidence(strength, asked.mean(after), association, share, late)


def _association(compressed: Floats, asked: _Symptom) -> float:
    """The mean of the correlations with and without the stretch before the incident.

    The one without counts as far as the symptom varies in the incident: all noise correlates somehow.
    NaN where there is neither.
    """
    known = [
        (r, weight)
        for start, weight in ((asked.start, 1.0), (asked.onset, asked.varies))
        if not math.isnan(r := correlation(compressed[start:], asked.deviation[start:]))
    ]
    total = sum(weight for _, weight in known)
    return sum(r * weight for r, weight in known) / total if total > 0 else math.nan


def _amount(measure: Measure, traffic: dict[str, Floats], asked: _Symptom) -> float:
    """The excess over the baseline times the traffic, where the symptom was bad; NaN if unknown."""
    requests = traffic.get(measure.component)
    baseline = measure.values[: asked.onset]
    baseline = baseline[np.isfinite(baseline)]
    if requests is None or not len(baseline):
        return math.nan
    excess = (measure.values - np.median(baseline)) * requests
    after = excess[asked.onset :]
    return asked.mean(np.where(np.isfinite(after), after, 0.0))


def _compressed(deviation: Floats) -> Floats:
    """Logarithmic beyond one spread, with the sign kept."""
    return np.sign(deviation) * np.log1p(np.abs(deviation))


def _varies(compressed: Floats, onset: int) -> float:
    """The variance within the incident, as a share of it and that of the baseline."""
    calm, after = (part[np.isfinite(part)] for part in (compressed[:onset], compressed[onset:]))
    total = float(calm.var() + after.var()) if len(calm) and len(after) else 0.0
    return float(after.var()) / total if total > 0 else 0.0


def _rises_at(after: Floats) -> int:
    """The first sample of an incident that is at least halfway to the highest."""
    known = np.nan_to_num(after)
    return int(np.argmax(known >= known.max() / 2))


def correlation(x: Floats, y: Floats) -> float:
    """Pearson's, over the pairs that are known; NaN for too few or where one is constant."""
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < _FEWEST_PAIRS:
        return math.nan
    x, y = x[both] - x[both].mean(), y[both] - y[both].mean()
    size = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / size if size > 1e-12 else math.nan  # noqa: PLR2004 - rounding
