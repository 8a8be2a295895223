"""Tables by thread that thousands of short-lived threads do not flood: what is not listed is summed up and said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locard.model.kernel_facts import Row

SHORT_LIVED = "(short-lived)"  # they began and ended between two looks at the names
OTHERS = "(others)"
_VARIOUS = "various"
_N = TypeVar("_N", int, float)
_FEW = 3  # rows of threads without a name that are told each


def listed(rows: Iterable[Row], most: int = 200) -> tuple[Row, ...]:
    """By wall time, then by count: the first `most` rows of threads, and all else as sums.

    A thread without a name had begun and ended between two looks at the names: many of those are one row for
    each call and result, with how many threads they were. What is beyond `most` is one row. Nothing is lost.
    """
    named: list[Row] = []
    ended: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.thread or row.tid is None:
            named.append(row)
        else:
            ended.setdefault((row.what, row.result), []).append(row)
    named += [
        row
        for parts in ended.values()
        for row in ([_sum(parts, SHORT_LIVED)] if len(parts) > _FEW else parts)
    ]
    ordered = sorted(named, key=lambda r: (-(r.total_s or 0.0), -r.count, r.what))
    if len(ordered) > most:
        ordered[most:] = [_sum(ordered[most:], OTHERS)]
    return tuple(ordered)


def _sum(parts: Sequence[Row], name: str) -> Row:
    """Several rows as one of no thread; a median of medians would be none, so it has none."""
    what, result = {p.what for p in parts}, {p.result for p in parts}
    tids = {p.tid for p in parts if p.tid is not None}
    return replace(
        parts[0],
        what=what.pop() if len(what) == 1 else _VARIOUS,
        result=result.pop() if len(result) == 1 else "",
        thread=name,
        tid=None,
        pid=parts[0].pid if len({p.pid for p in parts}) == 1 else None,
        threads=len(tids) + sum(p.threads or 0 for p in parts if p.tid is None),
        count=sum(p.count for p in parts),
        value=None,
        outcomes=(),
        errors=_known(p.errors for p in parts),
        bytes=_known(p.bytes for p in parts) or None,
        total_s=None if (total := _known(p.total_s for p in parts)) is None else round(total, 9),
        min_s=None,
        p50_s=None,
        p99_s=None,
        max_s=max((p.max_s for p in parts if p.max_s is not None), default=None),
        detail="",
    )


def _known(values: Iterable[_N | None]) -> _N | None:
    """The sum of those that are known; None where none is."""
    known = [v for v in values if v is not None]
    return sum(known[1:], known[0]) if known else None
