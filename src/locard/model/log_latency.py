"""How latency moved, by the figure that really rose: no sentence may contradict its own numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.wording import moved

if TYPE_CHECKING:
    from locard.model.log_facts import LogSummary


def risen(log: LogSummary) -> tuple[str, float, float] | None:
    """What rose: "p99" or "p50" in ms, else "slow", the share of requests above the limit; None if none did."""
    pairs = (
        ("p99", log.before_p99_ms, log.after_p99_ms),
        ("p50", log.before_p50_ms, log.after_p50_ms),
    )
    for name, before, after in pairs:
        if before is not None and after is not None and moved(before, after) == "rose":
            return name, before, after
    if log.judged == ("latency",) and log.before_total and log.after_total:
        early, late = log.before_bad / log.before_total, log.after_bad / log.after_total
        return ("slow", early, late) if moved(early, late) == "rose" else None
    for shape in log.shapes:
        if shape.measure != "latency" or shape.before is None or shape.after is None:
            continue
        if moved(shape.before, shape.after) == "rose":
            return "slow", shape.before, shape.after
    return None
