"""What metrics say, in words: golden signals in numbers, and what cannot be told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.wording import count

if TYPE_CHECKING:
    from locard.model.facts import EndpointCoverage, GoldenSignal, MetricsSummary, Unanswered

_SHOWN = 3
_TOP = "p99"  # of the quantiles, the one that is shown


def summary(metrics: MetricsSummary) -> str:
    """One line: traffic, errors and latency now."""
    parts = []
    for kind in ("traffic", "errors", "latency", "saturation"):
        told = [s for s in metrics.signals if s.signal == kind and _is_told(s)]
        signal = next((s for s in told if dict(s.subject).get("statistic") == _TOP), None)
        signal = signal or next(iter(told), None)
        if signal is not None:
            parts.append(_of(signal))
    who = answered(metrics)
    if not parts and not who:
        parts = [f"{count(metrics.series, 'series', 'series')}, no golden signal among them"]
    return "; ".join(filter(None, (who, *parts[:_SHOWN], *_left_out(metrics))))


def value(number: float | None, within: tuple[float | None, float | None] | None, unit: str) -> str:
    """A number with its unit; where a bucket has no other end, that: `> 1 s`, `<= 0.1 s, nothing finer`."""
    if number is not None:
        return f"{number:.3g} {unit}"
    low, high = within or (None, None)
    if low is not None:
        return f"> {low:g} {unit}"
    return "unknown" if high is None else f"<= {high:g} {unit}, nothing finer"


def _is_told(signal: GoldenSignal) -> bool:
    return signal.now is not None or any(bound is not None for bound in signal.now_in or ())


def _of(signal: GoldenSignal) -> str:
    statistic = dict(signal.subject).get("statistic", "")
    name = f"{signal.signal} {statistic}".strip()
    if (
        signal.unit == "1" and signal.now is not None
    ):  # errors are a share, what is in use is a number
        told = f"{signal.now:.1%}" if signal.signal == "errors" else f"{signal.now:g}"
    else:
        told = value(signal.now, signal.now_in, signal.unit)
    said = f"{name} {told} ({signal.metric})"
    if signal.exemplars:
        said += f", trace {signal.exemplars[0]}"
    return said


def endpoints(coverage: EndpointCoverage) -> str:
    """What each endpoint did instead of giving metrics."""
    return "; ".join(f"{one.url} {_unanswered(one)}" for one in coverage.unanswered)


def _unanswered(one: Unanswered) -> str:
    words = _HOW[one.how]
    after = f" {one.after_s:.1f} s" if one.how in _TIMED else ""
    return f"{words}{after}" + (f" ({one.detail})" if one.detail else "")


_TIMED = frozenset({"accepted", "closed", "no HTTP", "refused", "unreachable", "slow"})
_HOW = {
    "accepted": "accepted the connection and gave no answer within",
    "closed": "accepted the connection and closed it without an answer after",
    "no HTTP": "answered, and not in HTTP, after",
    "refused": "refused the connection after",
    "unreachable": "could not be reached within",
    "slow": "began to answer and had not finished after",
    "cut": "gave a page whose end is missing, which was not read",
    "too big": "gave a page that was not read",
    "packed": "gave a packed page that was not asked for and cannot be read",
    "login": "needs a login",
    "forbidden": "forbids to read it",
    "slow down": "said slow down, and was not asked again",
    "failing": "failed to make its page",
    "elsewhere": "sends elsewhere, which is not followed",
    "no page": "has no such page",
    "no metrics": "answered with a page that is none of metrics",
}


def answered(metrics: MetricsSummary) -> str:
    """What keeps two scrapes from being compared, and what would help; empty where nothing does."""
    who = metrics.answered_by
    if who is None or who.how == "one":
        return ""
    seen = count(len(who.starts), "start time")
    scrapes = count(who.scrapes, "scrape")
    if who.how == "restarted":
        return f"the process was started anew between the first and the last of {scrapes}: what it counts since is shown"
    if who.how == "shared":
        return f"several processes answer in turn ({seen} in {scrapes}), their counts are common"
    if who.how == "in turn":
        by = (
            f"{seen} in {scrapes}, back and forth"
            if who.starts
            else f"counts fell again and again in {scrapes}"
        )
        return f"the page is answered by several processes in turn ({by}): {_LEFT_OUT}; next: {_GATHER}"
    by = f"{seen} in {scrapes}" if len(who.starts) > 1 else f"counts fell in {scrapes}"
    return f"whether the process was restarted or several answer in turn cannot be told ({by}): {_LEFT_OUT}"


_LEFT_OUT = "two scrapes of different processes cannot be subtracted, so latency, traffic, errors and saturation are left out"
_GATHER = (
    "let the client library gather them (Python: PROMETHEUS_MULTIPROC_DIR, Node: AggregatorRegistry), "
    "or scrape each process by a port of its own"
)


def _left_out(metrics: MetricsSummary) -> list[str]:
    found = (
        (
            metrics.repeated,
            "series stands there twice with different values",
            "series stand there twice with different values",
        ),
        (metrics.odd, "count is negative or no number", "counts are negative or no numbers"),
        (metrics.unread, "line or family could not be read", "lines or families could not be read"),
    )
    return [
        f"left out: {number:,} {one if number == 1 else several}"
        for number, one, several in found
        if number
    ]
