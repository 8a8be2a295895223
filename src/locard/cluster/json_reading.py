"""Reading the API server's objects: nothing in them is taken for granted, as they come from outside."""

from __future__ import annotations

import datetime as dt
from typing import Any

from locard.model.foreign_json import parsed

_LONGEST = 600  # characters of a message


def items(data: bytes) -> list[dict[str, Any]]:
    """The objects of an answer of `kubectl get -o json`, be it a list or one; raises ValueError."""
    answer = parsed(data)
    if not isinstance(answer, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - one kind of error for who reads it
    if "items" in answer:
        return [item for item in entries(answer, "items") if isinstance(item, dict)]
    return [answer]


def part(value: Any, *path: str) -> dict[str, Any]:
    """The object at a path; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def entries(value: dict[str, Any], key: str) -> list[Any]:
    """The list under a key; empty where there is none."""
    found = value.get(key)
    return found if isinstance(found, list) else []


def objects(value: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in the list under a key."""
    return [item for item in entries(value, key) if isinstance(item, dict)]


def text(value: dict[str, Any], key: str) -> str:
    """The text under a key, its lines as one; empty where there is none."""
    found = value.get(key)
    return " ".join(found.split())[:_LONGEST] if isinstance(found, str) else ""


def number(value: dict[str, Any], key: str) -> int | None:
    """The whole number under a key."""
    found = value.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def moment(value: dict[str, Any], key: str) -> float | None:
    """The time under a key (RFC 3339, always with its zone) as Unix time."""
    found = value.get(key)
    if not isinstance(found, str) or not found:
        return None
    try:
        at = dt.datetime.fromisoformat(found)
        return None if at.tzinfo is None else at.timestamp()
    except (ValueError, OverflowError):
        return None
