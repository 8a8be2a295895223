"""What the host probes share: many small files read by one grep, pressure, cgroup files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locard.model.evidence import Output

Verdict = Literal["ok", "warning", "critical", "unknown"]

_MOUNT = "/sys/fs/cgroup"
_PRESSURE = re.compile(r"(some|full) avg10=([0-9.]+)")


def by_file(outputs: Iterable[Output]) -> dict[str, list[str]]:
    """The lines of each file that `grep -s -H` printed, by the paths of its own argv.

    A path may hold a colon itself (cgroups do), so it is not split at one.
    """
    found: dict[str, list[str]] = {}
    for output in outputs:
        paths = sorted((a for a in output.argv if a.startswith("/")), key=len, reverse=True)
        for line in output.text.split("\n"):
            path = next((p for p in paths if line.startswith(p + ":")), None)
            if path is not None:
                found.setdefault(path, []).append(line[len(path) + 1 :])
    return found


def unfinished(output: Output) -> str:
    """Why a program did not come to its end, in words: what it printed is then a part. Empty: it did."""
    name = output.program
    if output.problem:
        return output.problem
    if output.truncated:
        return f"{name} printed more than is read"
    if output.timed_out or output.exit_code is None:
        return f"{name} did not end in time"
    return f"{name} was ended by signal {-output.exit_code}" if output.exit_code < 0 else ""


def whole(text: str | None) -> int | None:
    """A whole number, or None."""
    words = (text or "").split()
    return int(words[0]) if words and words[0].isdigit() else None


def fields(lines: Iterable[str]) -> dict[str, int]:
    """`name value` or `name: value kB` lines as numbers; the rest is left out."""
    found: dict[str, int] = {}
    for line in lines:
        words = line.replace(":", " ").split()
        if len(words) > 1 and words[1].isdigit():
            found[words[0]] = int(words[1])
    return found


def pressure(lines: Iterable[str]) -> dict[str, float]:
    """`some` and `full` of a pressure file: per cent of the last 10 s."""
    return {m[1]: float(m[2]) for line in lines if (m := _PRESSURE.match(line))}


def above(value: float, warning: float, critical: float) -> Verdict:
    """The verdict of a value that is bad when it is high."""
    if value >= critical:
        return "critical"
    return "warning" if value >= warning else "ok"


def of_version(directory: str, v1: tuple[str, ...], v2: tuple[str, ...]) -> tuple[str, ...]:
    """The files of a cgroup's directory: of version 1 if a controller's own mount holds it."""
    mount = directory.removeprefix(_MOUNT + "/").partition("/")[0]
    names = v1 if {"memory", "cpu"} & set(mount.split(",")) else v2
    return tuple(f"{directory}/{name}" for name in names)


def cgroup_subject(directory: str) -> str:
    """What a reading of a cgroup is about: `cgroup /kubepods/pod1`, as below the mount."""
    return f"cgroup {directory.removeprefix(_MOUNT) or '/'}"
