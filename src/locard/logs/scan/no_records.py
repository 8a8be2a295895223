"""What to say of a source in which no record was found."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from locard.model import workload_words
from locard.model.errors import NoLogError, SourceUnreadableError
from locard.model.moments import MARK

if TYPE_CHECKING:
    from locard.logs.table.table import Table
    from locard.model.workload import WorkloadStates

_SHOWN = 60  # characters of a line
_ODD = 0.1  # of the characters of a line that no text has, and it is none
_FIELDS = "Ask for the fields that matter: --where 'level >= error' --select time,message"
_CHECK = "Check that the service writes to it."
_ASK = " Or look for what its lines say: --where 'message ~ \"PATTERN\"'."
_POINT = (
    "Point locard at the service's log: JSON, logfmt, an access log, or text whose lines begin"
    " with a time or a level."
)


def nothing_read(name: str, table: Table) -> SourceUnreadableError:
    """The error for it, with why and what to do."""
    why, step = _why(table)
    return SourceUnreadableError(f"no log records in {name}", why, step)


def nothing_written(name: str, found: WorkloadStates) -> NoLogError:
    """The error for pods that have no log: how they stand is why."""
    every = [title for _, title in workload_words.titles(found)] or [workload_words.headline(found)]
    why = MARK.sub(
        lambda m: f"{dt.datetime.fromtimestamp(float(m[1]), dt.UTC):%H:%M:%S} UTC", every[0]
    )
    return NoLogError(
        f"there is no log of {name}",
        why,
        "Ask without --where and its like to see how its pods stand.",
    )


def is_binary(table: Table) -> bool:
    """Whether what was read is no text, by the first line that was no record."""
    return any(_is_binary(item.sample) for item in table.skipped[:1])


def _why(table: Table) -> tuple[str, str]:
    samples = [item.sample for item in table.skipped if item.sample]
    if table.partial == "it has no line ends":
        return "it has no line ends, so it is no text log", _POINT
    if not table.lines and table.partial:
        step = "Give it a longer --budget, or check that the service writes to it."
        return f"nothing came before {table.partial}", step if "budget" in table.partial else _CHECK
    if not table.lines:
        return "it is empty", _CHECK
    if not samples:
        held = f"its {table.lines:,} lines could not be held: {table.partial}", _FIELDS
        return held if table.partial else ("it has nothing but blank lines", _CHECK)
    if _is_binary(samples[0]):
        return "it looks like a binary file: it holds characters that no text has", _POINT
    what = (
        f"none of its {table.lines:,} lines is a record"
        if table.lines > 1
        else "its line is no record"
    )
    which = "it is" if table.lines == 1 else "one of them:"
    return f"{what} in a format that is known; {which} {samples[0][:_SHOWN]!r}", _POINT + _ASK


def _is_binary(sample: str) -> bool:
    """Whether a line is no text: NULs, other control characters, bytes that are no UTF-8."""
    odd = sum(c == "�" or (c < " " and c not in "\t\x1b\r") for c in sample)
    return odd > _ODD * len(sample)
