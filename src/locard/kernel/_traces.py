"""From the records of an observation to one Trace: what the readers of `kernel/programs/` share."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, syscall_table
from locard.kernel.engines import bcc
from locard.model.evidence import Output
from locard.model.kernel_facts import NotObserved, Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from locard.kernel._observing import Told
    from locard.model.facts import Fact
    from locard.model.kernel_facts import Observed, Row

_BELOW_ROOT = 2
_MINOR_BITS = 20
_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


def read(
    program: str, outputs: Sequence[Output], make: Callable[[Told], Trace]
) -> tuple[Fact, ...]:
    """One Trace an observation, or why there is none. Never raises."""
    if (by_tool := bcc.facts(program, outputs)) is not None:
        return by_tool
    facts: list[Fact] = []
    for output in outputs:
        told = _observing.told(output)
        refused = _observing.refusal(program, told)
        if refused is not None:
            facts.append(refused)
        elif told.began:
            try:
                facts.append(make(told))
            except _BROKEN as error:
                why = f"what came back cannot be read ({type(error).__name__}: {error})"
                facts.append(NotObserved(program, why, ""))
    return tuple(facts)


def ended_ago(told: Told, at_ns: Any) -> float | None:
    """How long before the end of the observation something was; None where that is not known."""
    end = told.end.get("end")
    if not isinstance(end, int) or not isinstance(at_ns, int):
        return None
    return max(0.0, (end - at_ns) / 1e9)


def result_of(error: int) -> str:
    """`ok`, an errno's name, or that a signal came between."""
    if error == 0:
        return "ok"
    return "interrupted" if 512 <= error <= 516 else syscall_table.error(error)  # noqa: PLR2004 - ERESTART*


def in_words(counts: dict[str, int], most: int = 3) -> str:
    """Counts by name, greatest first: `ENOENT 575, EACCES 2`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    words = ", ".join(f"{name} {number:,}" for name, number in ordered[:most])
    return f"{words}, …" if len(ordered) > most else words


def by_count(rows: list[Row]) -> tuple[Row, ...]:
    """Most frequent first."""
    return tuple(sorted(rows, key=lambda r: (-r.count, r.what, r.result)))


def also_lost(observed: Observed, words: str) -> Observed:
    """The same with one more loss: it becomes partial."""
    return dataclasses.replace(observed, lost=(*observed.lost, words))


def recorded(*lines: str) -> Output:
    """Lines as an observation prints them: for the samples."""
    return Output(argv=("python3",), stdout=("\n".join(lines) + "\n").encode())


def asked_path(event: dict[str, Any]) -> tuple[str, str]:
    """The absolute path of what was asked for, and the name by which it is the same in other folders.

    `event` is as programs with folders.h tell a name: `asked`, `folder`, `known`, `descriptor`.
    """
    name = event["asked"]["name"]
    if event["asked"]["more"]:
        name += "…"
    if not event["asked"]["size"]:
        return "a name that cannot be read", ""
    if event["known"] == _BELOW_ROOT:
        path = "/" + "/".join(w for w in name.split("/") if w not in {"", "."})
        return path, path.rpartition("/")[2]
    if not event["known"]:
        return f"{name} (below descriptor {event['descriptor']}, which is not open)", name
    return joined(event["folder"], name), name


def joined(folder: str, name: str) -> str:
    """A name below a folder whose own path has no links: what leads upwards at its beginning is resolved.

    A `..` that follows a name is not: the name may be a link.
    """
    parts = [w for w in folder.split("/") if w]
    cut = bool(parts) and parts[0] == "…"
    rest = [w for w in name.split("/") if w not in {"", "."}]
    while rest and rest[0] == ".." and len(parts) > cut:
        parts.pop()
        rest.pop(0)
    while rest and rest[0] == ".." and not cut:
        rest.pop(0)
    path = "/".join((*parts, *rest))
    return path if cut else f"/{path}"


def file_names(told: Told) -> dict[tuple[int, int, int], dict[str, Any]]:
    """What programs with told_files.h told of files, by inode, device and generation."""
    return {file_of(e["key"]): e for e in told.events.get("files", ())}


def file_of(key: dict[str, int]) -> tuple[int, int, int]:
    """The identity of a file."""
    return key["file"], key["device"], key["generation"]


def device_names(told: Told) -> dict[int, str]:
    """Block devices by the kernel's own number."""
    found = {}
    for row in told.others:
        major, colon, minor = str(row.get("device", "")).partition(":")
        if colon and "name" in row:
            found[int(major) << _MINOR_BITS | int(minor)] = str(row["name"])
    return found


def device(told: Told, number: int) -> str:
    """A device's name; its numbers where it has none here; empty for what is on no device."""
    name = device_names(told).get(number)
    major, minor = number >> _MINOR_BITS, number & ((1 << _MINOR_BITS) - 1)
    return name or (f"device {major}:{minor}" if major else "")


def thread_of(told: Told, tids: set[int]) -> dict[str, Any]:
    """`thread` and `tid` of a row where it is of one thread."""
    if len(tids) != 1:
        return {}
    tid = next(iter(tids))
    return {"thread": told.thread(tid), "tid": tid}
