"""The exposition formats: Prometheus text 0.0.4 and OpenMetrics 1.0 in one tolerant parser.

A line that is no sample costs only itself and is counted. Nothing here backtracks more than
linearly, since a metrics endpoint is somebody else's program.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import pairwise

Labels = tuple[tuple[str, str], ...]

MAX_LINE = 65536

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_SAMPLE = re.compile(
    rf"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:.]*)?"
    rf"(?:\s*\{{(?P<labels>(?:[^\"{{}}]|{_QUOTED})*)\}}\s*|\s+)"
    r"(?P<value>[^\s{}\"#]+)(?:\s+[-+0-9.eE]+)?\s*(?:#.*)?",
    re.DOTALL,
)
_LABEL = re.compile(rf"\s*(?P<key>[a-zA-Z_][a-zA-Z0-9_.]*|{_QUOTED})\s*=\s*(?P<value>{_QUOTED})\s*")
_NAME_IN_BRACES = re.compile(rf"\s*(?P<name>{_QUOTED})\s*(?:,|$)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Series:
    """One sample line: a name, its labels in the order of their keys, a value."""

    name: str
    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Exposition:
    """One scrape. `types` is by family name; `bad_lines` counts what was no sample."""

    types: dict[str, str]
    series: tuple[Series, ...]
    bad_lines: int

    @property
    def families(self) -> int:
        """How many metric families it holds."""
        return len(self.types) or len({s.name for s in self.series})


def parse(text: str) -> Exposition:
    """All samples of one scrape; of a repeated series the last one counts. Never raises."""
    types: dict[str, str] = {}
    series: dict[tuple[str, Labels], Series] = {}
    bad = 0
    for line in text.split("\n"):
        stripped = line.strip()
        if not stripped:
            continue
        if stripped.startswith("#"):
            _comment(stripped, types)
            continue
        sample = _sample(stripped)
        if sample is None:
            bad += 1
        else:
            series[sample.name, sample.labels] = sample
    return Exposition(types, tuple(series.values()), bad)


def _comment(line: str, types: dict[str, str]) -> None:
    words = line.split()
    if len(words) == 4 and words[1] == "TYPE":  # noqa: PLR2004 - "# TYPE name kind"
        types[words[2].strip('"')] = words[3]


def _sample(line: str) -> Series | None:
    if len(line) > MAX_LINE:
        return None
    found = _SAMPLE.fullmatch(line)
    if found is None:
        return None
    name, inside = found["name"], found["labels"] or ""
    if name is None:  # Prometheus 3 puts a name that is no identifier into the braces
        quoted = _NAME_IN_BRACES.match(inside)
        if quoted is None:
            return None
        name, inside = _unquote(quoted["name"]), inside[quoted.end() :]
    labels = _labels(inside)
    try:
        value = float(found["value"])
    except ValueError:
        return None
    return None if labels is None else Series(name, labels, value)


def _labels(text: str) -> Labels | None:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        label = _LABEL.match(text, at)
        if label is None:
            return tuple(sorted(found.items())) if not text[at:].strip() else None
        key = label["key"]
        found[_unquote(key) if key.startswith('"') else key] = _unquote(label["value"])
        at = label.end()
        if at < len(text) and text[at] != ",":
            return None
        at += 1
    return tuple(sorted(found.items()))


def _unquote(text: str) -> str:
    return _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], text[1:-1])


@dataclass(frozen=True, slots=True)
class Histogram:
    """A classic histogram: cumulative counts by upper bound, the last bound is infinity."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    total: float
    sum: float | None

    def minus(self, earlier: Histogram | None) -> Histogram:
        """What came since the earlier scrape; all of it after a counter reset."""
        if earlier is None or earlier.bounds != self.bounds:
            return self
        counts = tuple(a - b for a, b in zip(self.counts, earlier.counts, strict=True))
        if self.total < earlier.total or any(c < 0 for c in counts):
            return self
        both = self.sum is not None and earlier.sum is not None
        total_sum = (self.sum or 0.0) - (earlier.sum or 0.0) if both else None
        return Histogram(self.bounds, counts, self.total - earlier.total, total_sum)

    def plus(self, other: Histogram) -> Histogram | None:
        """Both together, which needs the same bounds."""
        if other.bounds != self.bounds:
            return None
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        both = self.sum is not None and other.sum is not None
        total_sum = (self.sum or 0.0) + (other.sum or 0.0) if both else None
        return Histogram(self.bounds, counts, self.total + other.total, total_sum)

    @property
    def mean(self) -> float | None:
        """Sum over count, in the unit of the bounds."""
        return self.sum / self.total if self.sum is not None and self.total > 0 else None

    def over(self, bound: float) -> float | None:
        """The share of events above one of the bounds."""
        if self.total <= 0 or bound not in self.bounds:
            return None
        return (self.total - self.counts[self.bounds.index(bound)]) / self.total

    def bucket(self, q: float) -> tuple[float, float] | None:
        """The bounds of the bucket that holds the q-th quantile."""
        if self.total <= 0 or not self.bounds:
            return None
        wanted, low = q * self.total, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if count >= wanted:
                return low, bound
            low = bound
        return low, math.inf

    def quantile(self, q: float) -> float | None:
        """The q-th quantile, linear inside its bucket; the highest finite bound if above it."""
        found = self.bucket(q)
        if found is None:
            return None
        low, high = found
        if math.isinf(high):
            return low
        at = self.bounds.index(high)
        below = self.counts[at - 1] if at else 0.0
        inside = self.counts[at] - below
        return low + (high - low) * ((q * self.total - below) / inside if inside > 0 else 1.0)


def histograms(series: tuple[Series, ...]) -> dict[str, dict[Labels, Histogram]]:
    """The classic histograms by base name and by labels without `le`; broken ones left out."""
    buckets: dict[tuple[str, Labels], dict[float, float]] = {}
    sums: dict[tuple[str, Labels], float] = {}
    for one in series:
        if one.name.endswith("_bucket"):
            rest, bound = _without_le(one.labels)
            if bound is not None and math.isfinite(one.value):
                buckets.setdefault((one.name.removesuffix("_bucket"), rest), {})[bound] = one.value
        elif one.name.endswith("_sum"):
            sums[one.name.removesuffix("_sum"), one.labels] = one.value
    found: dict[str, dict[Labels, Histogram]] = {}
    for (base, labels), by_bound in buckets.items():
        bounds = tuple(sorted(by_bound))
        counts = tuple(by_bound[b] for b in bounds)
        if not math.isinf(bounds[-1]) or any(a > b for a, b in pairwise(counts)):
            continue
        one_histogram = Histogram(bounds, counts, counts[-1], sums.get((base, labels)))
        found.setdefault(base, {})[labels] = one_histogram
    return found


def _without_le(labels: Labels) -> tuple[Labels, float | None]:
    rest = tuple(pair for pair in labels if pair[0] != "le")
    try:
        bound = float(dict(labels)["le"])
    except (KeyError, ValueError):
        return rest, None
    return rest, None if math.isnan(bound) else bound
