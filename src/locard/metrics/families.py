"""What the series of a page are together: their kinds, histograms, and the quantiles of summaries.

Where a page does not say of which type a family is, its name and shape tell: `_bucket` with a label
`le` is a histogram, `_total` a counter, `_sum` beside `_count` a summary, a label `quantile` too.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, cast

from locard.metrics.histograms import Exemplar, Histogram

if TYPE_CHECKING:
    from locard.metrics.histograms import Distribution
    from locard.metrics.text_format import Exposition, Labels, Series

Kind = Literal[
    "counter",
    "gauge",
    "histogram",
    "gaugehistogram",
    "summary",
    "info",
    "stateset",
    "created",
    "unknown",
]
_KINDS = frozenset(
    {"counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"}
)
_SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_gcount", "_gsum", "_info")
_COUNTS = frozenset({"counter", "histogram", "summary"})  # they only rise


def kind_of(one: Series, types: dict[str, str], names: frozenset[str]) -> Kind:
    """The kind of family a series is of, by what the page says or by its name and shape."""
    name = one.name
    if name.endswith("_created") and types.get(name, "gauge") not in _COUNTS:
        return "created"
    bases = [name, *(name.removesuffix(s) for s in _SUFFIXES if name.endswith(s))]
    said = next((types[b] for b in bases if types.get(b) in _KINDS), None)
    return cast("Kind", said) if said is not None else _by_shape(one, names)


def _by_shape(one: Series, names: frozenset[str]) -> Kind:
    name, keys = one.name, {key for key, _ in one.labels}
    if name.endswith("_bucket") and "le" in keys:
        return "histogram"
    if name.endswith("_total"):
        return "counter"
    for suffix, other in (("_count", "_sum"), ("_sum", "_count")):
        base = name.removesuffix(suffix)
        if base != name and base + other in names:
            return "histogram" if f"{base}_bucket" in names else "summary"
    if "quantile" in keys:
        return "summary"
    return "info" if name.endswith("_info") and one.value == 1 else "unknown"


def kinds(page: Exposition) -> dict[tuple[str, Labels], Kind]:
    """The kind of every series."""
    names = frozenset(s.name for s in page.series)
    return {(s.name, s.labels): kind_of(s, page.types, names) for s in page.series}


def rises_only(one: Series, kind: Kind) -> bool:
    """Whether a value is a count that falls only when it begins anew."""
    if kind == "counter":
        return True
    return kind in {"histogram", "summary"} and one.name.endswith(("_bucket", "_count"))


def odd(page: Exposition) -> int:
    """How many counts are negative, infinite or no number: they count nothing and are left out."""
    kind = kinds(page)
    return sum(
        rises_only(s, kind[s.name, s.labels]) and not 0 <= s.value < math.inf for s in page.series
    )


def distributions(page: Exposition) -> dict[str, dict[Labels, Distribution]]:
    """The histograms of a page by base name and labels: the native one where there are both.

    Those of type gaugehistogram are left out: they may shrink, so nothing can be subtracted.
    """
    found: dict[str, dict[Labels, Distribution]] = {}
    for source in (histograms(page.series), page.natives):
        for base, by_labels in source.items():
            if page.types.get(base) != "gaugehistogram":
                found.setdefault(base, {}).update(by_labels)
    return found


def histograms(series: tuple[Series, ...]) -> dict[str, dict[Labels, Histogram]]:
    """The classic histograms by base name and by labels without `le`; broken ones left out."""
    by_labels: dict[tuple[str, Labels], dict[float, Series]] = {}
    sums: dict[tuple[str, Labels], float] = {}
    for one in series:
        if one.name.endswith("_bucket"):
            rest, bound = _without(one.labels, "le")
            if bound is not None and math.isfinite(one.value):
                by_labels.setdefault((one.name.removesuffix("_bucket"), rest), {})[bound] = one
        elif one.name.endswith("_sum"):
            sums[one.name.removesuffix("_sum"), one.labels] = one.value
    found: dict[str, dict[Labels, Histogram]] = {}
    for (base, labels), by_bound in by_labels.items():
        bounds = tuple(sorted(by_bound))
        counts = tuple(by_bound[b].value for b in bounds)
        if not math.isinf(bounds[-1]) or any(a > b for a, b in pairwise((0.0, *counts))):
            continue
        exemplars = [e for b in bounds if (e := by_bound[b].exemplar) is not None]
        total = sums.get((base, labels))
        found.setdefault(base, {})[labels] = Histogram(
            bounds, counts, counts[-1], total, tuple(exemplars)
        )
    return found


def quantiles(page: Exposition) -> dict[str, dict[Labels, dict[float, float]]]:
    """What summaries say of quantiles themselves, each series for itself: they cannot be added."""
    found: dict[str, dict[Labels, dict[float, float]]] = {}
    for one in page.series:
        rest, q = _without(one.labels, "quantile")
        if q is not None and 0 <= q <= 1 and math.isfinite(one.value):
            found.setdefault(one.name, {}).setdefault(rest, {})[q] = one.value
    return found


def sums(page: Exposition) -> dict[str, dict[Labels, Histogram]]:
    """Count and sum of each summary, as a histogram without bounds."""
    given = {(s.name, s.labels): s.value for s in page.series}
    found: dict[str, dict[Labels, Histogram]] = {}
    for (name, labels), kind in kinds(page).items():
        base = name.removesuffix("_count")
        total, count = given.get((f"{base}_sum", labels)), given[name, labels]
        if kind == "summary" and base != name and total is not None and 0 <= count < math.inf:
            found.setdefault(base, {})[labels] = Histogram((math.inf,), (count,), count, total)
    return found


def exemplars(page: Exposition) -> dict[tuple[str, Labels], tuple[Exemplar, ...]]:
    """The exemplars of counters and histograms, by base name and labels."""
    found: dict[tuple[str, Labels], tuple[Exemplar, ...]] = {}
    for one in page.series:
        if one.exemplar is not None and one.name.endswith("_total"):
            found[one.name.removesuffix("_total"), one.labels] = (one.exemplar,)
    for base, by_labels in distributions(page).items():
        for labels, one_histogram in by_labels.items():
            if one_histogram.exemplars:
                found[base, labels] = one_histogram.exemplars
    return found


def _without(labels: Labels, name: str) -> tuple[Labels, float | None]:
    """The labels without one that holds a number, and that number."""
    value = dict(labels).get(name)
    if value is None:
        return labels, None
    rest = tuple(pair for pair in labels if pair[0] != name)
    try:
        number = float(value)
    except ValueError:
        return rest, None
    return rest, None if math.isnan(number) else number
