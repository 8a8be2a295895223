"""Stacks as files for other tools: folded lines, speedscope's JSON; by the file's name also the page of a flame graph."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from locard import __version__
from locard.model.facts import StackSamples
from locard.model.kernel_facts import CountedStack, Trace
from locard.model.stacks import short_path
from locard.report.plain import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from locard.model.investigation import Investigation

_MICROSECONDS = 1e6
_SPEEDSCOPE_UNITS = {"s": "seconds", "bytes": "bytes"}
_NUMBER = re.compile(r"[0-9]+")
WOKEN_BY = "-- woken by --"


def stacks_of(found: Investigation) -> tuple[CountedStack, ...]:
    """The stacks that an investigation's evidence has, of one unit: that of the first."""
    facts = [f for e in found.evidence for f in e.facts]
    every = [s for f in facts if isinstance(f, Trace) for s in f.stacks]
    every = every or [s for f in facts if isinstance(f, StackSamples) for s in _looks(f)]
    return tuple(s for s in every if s.unit == every[0].unit)


def _looks(samples: StackSamples) -> Iterator[CountedStack]:
    """The stacks of some looks: each counts once."""
    for stack in samples.stacks:
        frames = tuple(
            f"{f.function} ({short_path(f.file)}:{f.line})" for f in reversed(stack.frames)
        )
        if frames:
            yield CountedStack(frames, 1.0, "samples", stack.thread, pid=stack.pid)


def paths(stacks: Sequence[CountedStack]) -> Iterator[tuple[tuple[str, ...], float]]:
    """(whole path, value) of each, as flame graphs stack them: process where there are several, thread, frames, waker."""
    several = len({s.pid for s in stacks}) > 1
    for stack in stacks:
        of = (f"pid {stack.pid}",) if several and stack.pid is not None else ()
        thread = (stack.thread,) if stack.thread else ()
        yield tuple(map(plain, (*of, *thread, *stack.frames, *_waker(stack)))), stack.value


def merged(stacks: Sequence[CountedStack]) -> Iterator[tuple[tuple[str, ...], float]]:
    """The same over all processes, with threads of one name but for its number as one: what workers do together."""
    names = {s.thread for s in stacks}
    for stack in stacks:
        name = stack.thread if len(names) == 1 else _NUMBER.sub("*", stack.thread)
        thread = (name,) if name else ()
        yield tuple(map(plain, (*thread, *stack.frames, *_waker(stack)))), stack.value


def folded(stacks: Sequence[CountedStack]) -> str:
    """A line for each stack: frames by `;`, a space, a whole number (of time: microseconds)."""
    sums: dict[str, float] = {}
    scale = _MICROSECONDS if stacks and stacks[0].unit == "s" else 1
    for path, value in paths(stacks):
        line = ";".join(f.replace(";", ":") for f in path)
        sums[line] = sums.get(line, 0.0) + value * scale
    return "".join(f"{line} {round(value)}\n" for line, value in sorted(sums.items()))


def speedscope(stacks: Sequence[CountedStack], title: str) -> str:
    """The file format of speedscope.app, one profile for each thread."""
    frames: dict[str, int] = {}
    profiles: dict[tuple[int | None, str], dict[str, Any]] = {}
    several = len({s.pid for s in stacks}) > 1
    for stack in stacks:
        name = plain(stack.thread) if stack.thread else title
        name += f" of pid {stack.pid}" if several and stack.pid is not None else ""
        profile = profiles.setdefault(
            (stack.pid, stack.thread),
            {
                "type": "sampled",
                "name": name,
                "unit": _SPEEDSCOPE_UNITS.get(stack.unit, "none"),
                "startValue": 0,
                "endValue": 0,
                "samples": [],
                "weights": [],
            },
        )
        names = [plain(f) for f in (*stack.frames, *_waker(stack))]
        profile["samples"].append([frames.setdefault(n, len(frames)) for n in names])
        profile["weights"].append(stack.value)
        profile["endValue"] += stack.value
    whole = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": f"locard {__version__}",
        "name": title,
        "activeProfileIndex": 0,
        "shared": {"frames": [{"name": name} for name in frames]},
        "profiles": list(profiles.values()),
    }
    return json.dumps(whole) + "\n"


def _waker(stack: CountedStack) -> Iterable[str]:
    return (WOKEN_BY, *reversed(stack.waker)) if stack.waker else ()


def plain(text: str) -> str:
    """A frame as it may be shown."""
    return safe(text) or "[unknown]"
