"""What bench/rca.py compares with: published methods, written anew from their descriptions.

Each gives a score for each component that it names, the higher the likelier.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from rca_data import Case

_ANOMALOUS = 5.0  # robust z-score, by the authors of PetShop
_LOOKED_AT = 2  # the sample of the incident that they look at first
_FEWEST = 10  # samples of a baseline
_NORMAL_MEDIAN = 0.6745


def n_sigma(case: Case) -> dict[str, float]:
    """The largest z-score, by mean and standard deviation, of any measure."""
    return _largest(case, lambda calm, after: (np.max(after) - np.mean(calm)) / _or_one(calm.std()))


def baro(case: Case) -> dict[str, float]:
    """BARO's RobustScorer (Pham et al., FSE 2024): the largest z-score by median and quartiles."""
    return _largest(case, lambda calm, after: (np.max(after) - np.median(calm)) / _quartiles(calm))


def median_shift(case: Case) -> dict[str, float]:
    """The shift of the median in inter-quartile ranges, either way."""
    return _largest(
        case, lambda calm, after: abs(np.median(after) - np.median(calm)) / _quartiles(calm)
    )


def _largest(case: Case, score: Callable[[np.ndarray, np.ndarray], float]) -> dict[str, float]:
    """Constant baselines count in units of the data, as in the published code (scale 1)."""
    found: dict[str, float] = {}
    for measure in case.measures:
        calm, after = _split(measure.values, case.onset)
        if len(calm) and len(after):
            best = found.get(measure.component, -math.inf)
            found[measure.component] = max(best, float(score(calm, after)))
    return found


def _split(values: np.ndarray, onset: int) -> tuple[np.ndarray, np.ndarray]:
    calm, after = values[:onset], values[onset:]
    return calm[np.isfinite(calm)], after[np.isfinite(after)]


def _or_one(scale: float) -> float:
    return scale if scale > 0 else 1.0


def _quartiles(calm: np.ndarray) -> float:
    low, high = np.percentile(calm, (25, 75))
    return _or_one(high - low)


def ranked_correlation(case: Case) -> dict[str, float]:
    """PetShop's ranked correlation (Hardt et al., CLeaR 2024), which needs no calls.

    Of the components whose own metric of the symptom's kind is anomalous, by the p-value of Pearson's
    correlation over the samples of the incident.
    """
    scores = _anomalous(case)
    found = {}
    for name, values in _of_kind(case).items():
        if name in scores and name != case.target:
            p = _p_value(values[case.onset :], case.symptom[case.onset :])
            if not math.isnan(p):
                found[name] = -p
    return found


def traversal(case: Case) -> dict[str, float]:
    """PetShop's anomaly traversal with the call graph.

    Anomalous components none of whose callees are, and that a path of anomalous ones joins to the
    target; scored by the largest sum of robust z-scores along such a path.
    """
    scores = _anomalous(case)
    callees: dict[str, set[str]] = {}
    for caller, callee in case.calls:
        if caller != callee:
            callees.setdefault(caller, set()).add(callee)
    found: dict[str, float] = {}

    def walk(name: str, path: frozenset[str], total: float) -> None:
        below = [c for c in callees.get(name, ()) if c in scores]
        if not below:
            found[name] = max(found.get(name, -math.inf), total)
        for callee in below:
            if callee not in path:
                walk(callee, path | {callee}, total + scores[callee])

    if case.target in scores:
        walk(case.target, frozenset({case.target}), scores[case.target])
    return found


def _of_kind(case: Case) -> dict[str, np.ndarray]:
    """The first measure of the symptom's kind of each component."""
    return {m.component: m.values for m in reversed(case.measures) if m.kind == case.what}


def _anomalous(case: Case) -> dict[str, float]:
    """Robust z-scores of the anomalous at the sample that is looked at; none if the target is not."""
    table: dict[str, np.ndarray] = {}
    limits: dict[str, float] = {}
    for name, values in _of_kind(case).items():
        calm, _ = _split(values, case.onset)
        if len(calm) < _FEWEST:
            continue
        off = np.abs(values[case.onset :] - np.median(calm))
        deviation = np.median(np.abs(calm - np.median(calm))) / _NORMAL_MEDIAN
        limits[name] = _ANOMALOUS
        if calm.std() == 0:
            limits[name], off, deviation = 0.0, np.abs(values[case.onset :] - calm.mean()), 1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            table[name] = np.nan_to_num(off / deviation, nan=0.0, posinf=math.inf)
    if case.target not in table:
        return {}
    own = table[case.target] > limits[case.target]
    at = next((i for i in range(_LOOKED_AT, len(own)) if own[i]), None)
    if at is None:
        return {}
    return {name: float(z[at]) for name, z in table.items() if z[at] > limits[name]}


def _p_value(x: np.ndarray, y: np.ndarray) -> float:
    """Two-sided, of Pearson's correlation being 0: it is the sine of an angle of density cos^(n - 3)."""
    both = np.isfinite(x) & np.isfinite(y)
    n = int(both.sum())
    if n < 2:
        return math.nan
    x, y = x[both] - x[both].mean(), y[both] - y[both].mean()
    size = math.sqrt(float(x @ x) * float(y @ y))
    if size == 0:
        return math.nan
    if n == 2:
        return 1.0
    angle = math.asin(min(1.0, abs(float(x @ y)) / size))
    tail = np.trapezoid(*_density(angle, math.pi / 2, n))
    return float(tail / np.trapezoid(*_density(0.0, math.pi / 2, n)))


def _density(low: float, high: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    angles = np.linspace(low, high, 2001)
    return np.cos(angles) ** (n - 3), angles
