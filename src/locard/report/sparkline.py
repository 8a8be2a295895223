"""The log over time as one line of blocks, the onset marked."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model.headline import milliseconds, share
from locard.model.log_state import counted_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.model.log_facts import LogSummary, RatePoint

_FEWEST = 10  # records, to draw a course
_MARKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Sparkline:
    """What is drawn (errors, p99 or requests), the line, and what its highest mark stands for."""

    what: str
    line: str
    top: str


def drawn(log: LogSummary, width: int) -> Sparkline | None:
    """What tells most of the log, in at most `width` marks and a `|` at the onset.

    Errors where they changed or there are any, else latency, else requests. Errors are a share of
    the requests, or a count where the log does not have them all.
    """
    series = log.series
    if not series or log.records < _FEWEST:
        return None
    marks = min(width, len(series))
    cuts = [i * len(series) // marks for i in range(marks + 1)]
    groups = [series[i:j] for i, j in itertools.pairwise(cuts)]
    what = _what(log)
    values = [_value(what, g, shares=log.claims_rates) for g in groups]
    top = max(values) or 1.0
    line = [_MARKS[min(7, int(8 * v / top))] for v in values]
    if log.onset is not None and log.onset.baseline_seen:
        begun = (g[-1].start + g[-1].width_s <= log.onset.earliest for g in groups)
        line.insert(sum(begun), "|")
    return Sparkline(what, "".join(line), _said(what, max(values), shares=log.claims_rates))


def _what(log: LogSummary) -> str:
    if "errors" not in log.changed:
        if "latency" in log.changed:
            return "p99"
        if not any(p.errors for p in log.series):
            return "p99" if any(p.p99_ms for p in log.series) else counted_as(log)
    return "errors"


def _value(what: str, points: Sequence[RatePoint], *, shares: bool) -> float:
    if what == "p99":
        return max(p.p99_ms or 0.0 for p in points)
    total, width = sum(p.total for p in points), sum(p.width_s for p in points)
    if what in {"requests", "lines"}:
        return total / width
    errors = sum(p.errors for p in points)
    if shares:
        return errors / total if total else 0.0
    return errors / width


def _said(what: str, top: float, *, shares: bool) -> str:
    if not top:
        return "none"
    if what == "p99":
        return f"up to {milliseconds(top)}"
    if what == "errors" and shares:
        return f"up to {share(top, 1)}"
    return f"up to {top:.2g} a second"
