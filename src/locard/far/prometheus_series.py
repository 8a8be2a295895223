"""From selectors to series: what is asked of a Prometheus API together, and how its answers are told.

Between `far/http_api.py` and `far/prometheus.py` in one namespace; standard library only, Python 3.6.
"""

import bisect
import itertools
import json
import math
import operator
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Container

    from locard.far.http_api import Refused, Server
    from locard.far.metric_lines import say, tell_series

MOST_SAMPLES = 400000  # of one query: 1 % of what Prometheus lets one have
MOST_ALL = 16000000  # samples that are read as they were written; of more only every nth
MOST_POINTS = 10000  # of one series in one answer (Prometheus: 11,000)
MOST_NAMES = 6000  # characters of names in one query
MOST_BOUNDS = 64  # of a native histogram
HEAVY = 50  # samples that one of a native histogram stands for, in bytes
SELECTOR = re.compile(r"\s*([a-zA-Z_:][\w:]*)?\s*(?:\{(.*)\})?\s*", re.DOTALL)
QUOTED_NAME = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')\s*(?=,|$)', re.DOTALL)
FIRST, SECOND = operator.itemgetter(0), operator.itemgetter(1)


def matchers_of(match: str) -> str:
    """What stands between the braces of a selector, a name in front of them or in quotes included."""
    found = SELECTOR.fullmatch(match)
    if found is None:
        raise Refused(400, "%r is no selector" % match[:100], "match")
    name, rest = found.group(1), (found.group(2) or "").strip().rstrip(",").strip()
    quoted = QUOTED_NAME.match(rest)
    if quoted:
        rest = "__name__=" + rest[quoted.start(1) :]
    return ",".join(filter(None, ['__name__="%s"' % name if name else "", rest]))


def any_name(matchers: str) -> str:
    """A selector of all that fit; one that is not empty has to be among its matchers."""
    return '{__name__!=""%s}' % ("," + matchers if matchers else "")


def quoted_text(text: str) -> str:
    """A text as PromQL writes it."""
    return json.dumps(text, ensure_ascii=False)


def with_name(names: "list[str]", matchers: str, tail: str = "") -> str:
    """A selector of these metrics among those that fit; `tail` is a pattern that may follow their names."""
    alike = "|".join(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", n) for n in names)
    alike = "(%s)%s" % (alike, tail) if tail else alike
    return "{__name__=~%s%s}" % (quoted_text(alike), "," + matchers if matchers else "")


def batches(names: "dict[str, int]", most: int) -> "list[list[str]]":
    """Metrics that are asked for together: at most so many series, and one metric at least."""
    found, room, length = [], 0, 0  # type: list[list[str]], int, int
    for name in sorted(names):
        size = names[name]
        if not found or room < size or length + len(name) > MOST_NAMES:
            found.append([])
            room, length = most, 0
        found[-1].append(name)
        room -= size
        length += len(name) + 1
    return found


def counts_by_name(server: "Server", query: str, at: float) -> "dict[str, int]":
    """Series of each metric at a moment, by a query that counts them."""
    rows = server.rows("/api/v1/query", query=query, time="%.3f" % at)
    return {
        r["metric"]["__name__"]: int(float(r["value"][1]))
        for r in rows
        if r["metric"].get("__name__")
    }


def tell_matrix(rows: "list[Any]", natives: "dict[str, list[Any]]") -> int:
    """Print the series of an answer; native histograms are kept, by metric. How many samples."""
    samples = 0
    for row in rows:
        values = row.get("values") or []
        if values:
            times = list(map(FIRST, values))
            tell_series(row["metric"], times, map(float, map(SECOND, values)))
            samples += len(values)
        if row.get("histograms"):
            name = row["metric"].get("__name__", "")
            natives.setdefault(name, []).append([row["metric"], row["histograms"]])
            samples += len(row["histograms"])
    return samples


def read_raw(
    server: "Server", query: str, start: float, end: float, parts: int, known: "Container[str]" = ()
) -> int:
    """Samples as they were written, `parts` stretches after each other: the same series comes once in each."""
    width, samples = (end - start) / parts, 0
    natives = {}  # type: dict[str, list[Any]]
    try:
        for part in range(parts):
            till = end - (parts - 1 - part) * width
            rows = server.rows("/api/v1/query", query="%s[%dms]" % (query, round(width * 1000)),
                               time="%.3f" % till)  # fmt: skip
            samples += tell_matrix(rows, natives)
    finally:
        tell_natives(natives, known)
    return samples


def read_steps(
    server: "Server",
    query: str,
    start: float,
    end: float,
    step: float,
    known: "Container[str]" = (),
) -> int:
    """Values at even steps, which is less than there is: for what is too much to be read whole."""
    samples, at = 0, start
    natives = {}  # type: dict[str, list[Any]]
    try:
        while at <= end:
            till = min(end, at + step * (MOST_POINTS - 1))
            rows = server.rows("/api/v1/query_range", query=query, start="%.3f" % at,
                               end="%.3f" % till, step="%.3f" % step)  # fmt: skip
            samples += tell_matrix(rows, natives)
            at += step * MOST_POINTS
    finally:
        tell_natives(natives, known)
    return samples


# -- native histograms --------------------------------------------------------------------------


def tell_natives(natives: "dict[str, list[Any]]", known: "Container[str]") -> None:
    """As classic histograms: counts up to bounds that lie between two buckets in every sample of the metric.

    Only buckets that hold something are there, and a histogram may change its resolution: a bound that lies
    inside a bucket of some sample would be counted too low there. One that is `known` as a classic one, too, is
    told as that.
    """
    for name, rows in natives.items():
        if name + "_bucket" in known:
            continue
        told = []
        for labels, histograms in rows:
            samples = {}  # type: dict[float, tuple[float, float, list[tuple[float, float, float]]]]
            for at, one in histograms:
                buckets = one.get("buckets") or []
                samples[float(at)] = (
                    float(one["count"]),
                    float(one["sum"]),
                    sorted((float(b[2]), float(b[1]), float(b[3])) for b in buckets),
                )
            told.append((labels, samples))
        bounds = bounds_of([buckets for _, s in told for _, _, buckets in s.values()])
        for labels, samples in told:
            tell_native(name, labels, samples, bounds)


def bounds_of(every: "list[list[tuple[float, float, float]]]") -> "list[float]":
    """Bounds that no bucket lies across, thinned to what can be told; buckets are (high, low, count)."""
    seen = sorted({b[0] for buckets in every for b in buckets if math.isfinite(b[0])})
    split = set()  # type: set[float]
    for low, high in {(b[1], b[0]) for buckets in every for b in buckets}:
        split.update(seen[bisect.bisect_right(seen, low) : bisect.bisect_left(seen, high)])
    found = [b for b in seen if b not in split]
    thin = -(-len(found) // MOST_BOUNDS)
    return found[::-1][:: max(1, thin)][::-1]


def tell_native(
    name: str, labels: "dict[str, str]", samples: "dict[float, Any]", bounds: "list[float]"
) -> None:
    """One series of a native histogram as those of a classic one."""
    times = sorted(samples)
    rows = [samples[at] for at in times]
    highs = [[b[0] for b in buckets] for _, _, buckets in rows]
    sums = [[0.0, *itertools.accumulate(b[2] for b in buckets)] for _, _, buckets in rows]
    counts = [count for count, _, _ in rows]
    tell_series(dict(labels, __name__=name + "_count"), times, counts)
    tell_series(dict(labels, __name__=name + "_sum"), times, [total for _, total, _ in rows])
    for bound in bounds:
        held = [s[bisect.bisect_right(h, bound)] for h, s in zip(highs, sums)]
        tell_series(dict(labels, __name__=name + "_bucket", le=repr(bound)), times, held)
    tell_series(dict(labels, __name__=name + "_bucket", le="+Inf"), times, counts)
    say(native={"name": name, "bounds": len(bounds)})
