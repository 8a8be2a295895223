"""System calls that failed: how often with which errno, and on what, where that is known."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from locard.kernel import syscall_table
from locard.model.kernel_facts import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.kernel._observing import Told

    NameOf = Callable[[dict[str, Any]], str]

_NAMED = 2  # files of one kind of error
_PATHS = "which file: locard trace opens TARGET"
_WHICH = dict.fromkeys(("open", "openat", "openat2", "creat"), _PATHS) | dict.fromkeys(
    ("execve", "execveat"), "which program: locard trace exec TARGET"
)


def rows(told: Told, machine: str, name_of: NameOf) -> tuple[Row, ...]:
    """By process, call and errno, those that are no failure last; `name_of` names the descriptor of an entry."""
    of: dict[tuple[Any, Any], set[int]] = {}
    for row in told.map("errors"):
        of.setdefault((row["tgid"], row["number"]), set()).add(row["error"])
    found = []
    for row in told.map("errors"):
        name = syscall_table.error(row["error"])
        what = syscall_table.name(machine, row["number"])
        alone = len(of[row["tgid"], row["number"]]) == 1
        not_now = syscall_table.no_failure(what, name)
        words = [not_now, _on(told, name_of, row) if alone else ""]
        if not any(words):
            words.append(_WHICH.get(what, ""))
        detail = ", ".join(filter(None, words))
        found.append((not_now, Row(what, name, pid=row["tgid"], count=row["value"], detail=detail)))
    return tuple(r for _, r in sorted(found, key=lambda r: (bool(r[0]), -r[1].count)))


def _on(told: Told, name_of: NameOf, error: dict[str, Any]) -> str:
    """On which files and peers a call failed whose errors are all of one kind; empty where no descriptor is known."""
    found: Counter[str] = Counter()
    for row in told.map("descriptors"):
        if row["errors"] and (row["tgid"], row["number"]) == (error["tgid"], error["number"]):
            name = name_of(row)
            way = " -> " if " -> " in name else ""  # our own end is another for each connection
            found[f"{name.split()[0]} -> {name.partition(way)[2]}" if way else name] += row[
                "errors"
            ]
    most = found.most_common(_NAMED)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "on " + ", ".join(f"{name} {n:,}" for name, n in most) + more if most else ""
