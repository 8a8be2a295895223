"""Tasks of asyncio, as our reader prints them, as facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locard.model.facts import AwaitingTask, AwaitStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LOCKS = "asyncio/locks.py"
_ENTERS = frozenset({"acquire", "__aenter__"})


def tasks(items: Iterable[Any]) -> tuple[AwaitingTask, ...]:
    """The tasks among the items of one dump."""
    raw = [i for i in items if isinstance(i, dict) and isinstance(i.get("task"), str)]
    names = {i.get("at"): i["task"] for i in raw}
    return tuple(t for item in raw if (t := _task(item, names)) is not None)


def _task(item: dict[str, Any], names: dict[Any, str]) -> AwaitingTask | None:
    try:
        waits = _lock(item["chain"])
        return AwaitingTask(
            pid=int(item["pid"]),
            name=item["task"],
            steps=tuple(_steps(item["chain"])),
            awaits=tuple(names[a] for a in item["awaits"] if a in names),
            lock=waits,
            inside=tuple(int(a) for a in item["inside"] if a != waits),
            runs=any(step.get("runs") for step in item["chain"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _steps(chain: Iterable[dict[str, Any]]) -> Iterator[AwaitStep]:
    for step in chain:
        if "future" in step:
            yield AwaitStep("future", str(step["future"]))
        elif "name" in step:
            yield AwaitStep(
                step["kind"], str(step["name"]), str(step["filename"]), int(step["line"])
            )


def _lock(chain: Iterable[dict[str, Any]]) -> int | None:
    """The lock whose `acquire` it stands in."""
    for step in chain:
        name = str(step.get("name", "")).rpartition(".")[2]
        if str(step.get("filename", "")).endswith(_LOCKS) and name in _ENTERS and step.get("self"):
            return int(step["self"])
    return None
