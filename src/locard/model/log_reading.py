"""What is known of a log once it is read, before it is judged: a question needs no more of the facts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skipped:
    """Log lines that could not be used: how many, why, and one of them."""

    reason: str
    lines: int
    sample: str


@dataclass(frozen=True, slots=True)
class FieldRole:
    """Which field was taken for what, and why."""

    role: str  # time, level, status, duration, trace_id, endpoint, upstream, message, …
    field: str
    reason: str
