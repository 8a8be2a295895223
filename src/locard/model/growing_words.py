"""A number of a log that only grows, in words; its time stands in them as a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model.moments import moment

if TYPE_CHECKING:
    from locard.model.log_facts import GrowingNumber


def sentence(one: GrowingNumber) -> str:
    """`queued grows to the end, from 1 to 4,351 since …, 0.7 a second`, with what it may be instead."""
    what = one.field or "The number behind the word for what waits"
    began = f"since {moment(one.since.latest)}" if one.since.baseline_seen else "all along"
    return (
        f"{what} grows to the end of the log, from {one.first:,.0f} to {one.last:,.0f} {began}, {one.per_s:.2g} a "
        "second: more waits, unless it counts all that ever came"
    )
