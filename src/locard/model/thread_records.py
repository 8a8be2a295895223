"""What the reader of threads printed, as records of the model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from locard.model.facts import ProcessCondition, ThreadState

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONDITIONS = {"T": "stopped", "t": "traced", "Z": "zombie", "X": "dying"}


def records(text: str) -> Iterator[dict[str, Any]]:
    """One JSON object a line; a line that was cut is left out."""
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record


def state(record: dict[str, Any], at_round: int | None = None) -> ThreadState | None:
    """One thread at one moment, None if the record is none."""
    stack, fds = record.get("kernel_stack"), record.get("fds")
    try:
        return ThreadState(
            round=int(record["round"]) if at_round is None else at_round,
            pid=int(record["pid"]),
            tid=int(record["tid"]),
            comm=str(record["comm"]),
            state=str(record["state"]),
            syscall=_text(record.get("syscall")),
            wchan=_text(record.get("wchan")),
            waits_for=_text(record.get("waits_for")),
            peer=_text(record.get("peer")),
            futex=_whole(record.get("futex")),
            futex_in=_text(record.get("futex_in")),
            kernel_stack=tuple(map(str, stack)) if isinstance(stack, list) else (),
            client=_text(record.get("client")),
            fds=tuple((str(k), int(v)) for k, v in fds.items()) if isinstance(fds, dict) else (),
        )
    except (KeyError, TypeError, ValueError):
        return None


def condition(record: dict[str, Any]) -> ProcessCondition | None:
    """A process that is stopped, traced, dying or a zombie, None if the record is none."""
    try:
        by = str(record.get("by") or "")
        word = "traced" if by else _CONDITIONS[str(record["state"])]
        return ProcessCondition(
            pid=int(record["condition"]),
            name=str(record["name"]),
            condition=word,  # type: ignore[arg-type] # one of the words above
            threads=int(record["threads"]),
            by=by,
        )
    except (KeyError, TypeError, ValueError):
        return None


def unmoved(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether a thread slept through from one reading to the other, in the very same call."""
    same = ("state", "call", "switches")
    return before.get("state") != "R" and all(
        k in before and before[k] == after.get(k) for k in same
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
