"""Suspended greenlets, as our reader prints them, as facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locard.model.facts import Frame, Greenlet, GreenletSamples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def samples(items: Iterable[Any]) -> GreenletSamples | None:
    """Those among the items of one dump; None where there are none and nothing was left out."""
    raw = [i for i in items if isinstance(i, dict)]
    found = tuple(_greenlets(raw))
    torn = sum(bool(i.get("torn")) for i in raw if "greenlet" in i)
    unread = [str(i["unread"]) for i in raw if isinstance(i.get("unread"), str)]
    unread += [f"{torn} greenlets changed while being read"] if torn else []
    return GreenletSamples(found, tuple(unread)) if found or unread else None


def _greenlets(raw: Iterable[dict[str, Any]]) -> Iterator[Greenlet]:
    for item in raw:
        if not isinstance(item.get("greenlet"), str) or item.get("torn"):
            continue
        try:
            frames = tuple(
                Frame(str(f["name"]), str(f["filename"]), int(f["line"])) for f in item["frames"]
            )
            yield Greenlet(int(item["pid"]), item["greenlet"], frames)
        except (KeyError, TypeError, ValueError):
            continue
