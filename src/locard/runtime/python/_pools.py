"""Thread pools, as our reader prints them, as facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locard.model.facts import ThreadPool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def pools(items: Iterable[Any], at_round: int, inner: dict[int, int]) -> Iterator[ThreadPool]:
    """The pools among the items of one dump. `inner`: ids of its own pid namespace -> as this machine numbers them."""
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("pool"), str):
            continue
        try:
            yield ThreadPool(
                round=at_round,
                pid=int(item["pid"]),
                name=item["pool"],
                address=int(item["at"]),
                most=int(item["most"]),
                tids=tuple(inner.get(int(t), int(t)) for t in item["threads"]),
                queued=None if item["queued"] is None else int(item["queued"]),
            )
        except (KeyError, TypeError, ValueError):
            continue
