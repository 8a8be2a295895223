"""Stacks as a flame graph: folded lines, speedscope's JSON, or one self-contained page to search and zoom.

The page needs no network; names of functions are data in it and reach it by textContent alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locard import __version__
from locard.model.kernel_facts import CountedStack, Trace
from locard.model.kernel_words import duration, size
from locard.model.wording import count
from locard.report.plain import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locard.model.investigation import Investigation

_PAGE = Path(__file__).with_name("flame_graph.html")
_LEAST_SHARE = 0.0002  # of the whole: less is narrower than a hair
_MOST_NODES = 50000
_MICROSECONDS = 1e6
_SPEEDSCOPE_UNITS = {"s": "seconds", "bytes": "bytes"}


def stacks_of(found: Investigation) -> tuple[CountedStack, ...]:
    """The stacks that an investigation's evidence has, of one unit: that of the first."""
    every = [s for e in found.evidence for f in e.facts if isinstance(f, Trace) for s in f.stacks]
    return tuple(s for s in every if s.unit == every[0].unit)


def rendered(path: str, stacks: Sequence[CountedStack], title: str, about: str = "") -> str:
    """As the name of the file asks for."""
    if path.endswith((".html", ".htm")):
        return page(stacks, title, about)
    return speedscope(stacks, title) if path.endswith(".json") else folded(stacks)


def folded(stacks: Iterable[CountedStack]) -> str:
    """A line for each stack: frames by `;`, a space, a whole number (of time: microseconds)."""
    sums: dict[str, float] = {}
    for stack in stacks:
        line = ";".join(_plain(f).replace(";", ":") for f in _frames(stack))
        sums[line] = sums.get(line, 0.0) + stack.value * (_MICROSECONDS if stack.unit == "s" else 1)
    return "".join(f"{line} {round(value)}\n" for line, value in sorted(sums.items()))


def speedscope(stacks: Sequence[CountedStack], title: str) -> str:
    """The file format of speedscope.app, one profile for each thread."""
    frames: dict[str, int] = {}
    profiles: dict[str, dict[str, Any]] = {}
    for stack in stacks:
        profile = profiles.setdefault(
            stack.thread,
            {
                "type": "sampled",
                "name": _plain(stack.thread) or title,
                "unit": _SPEEDSCOPE_UNITS.get(stack.unit, "none"),
                "startValue": 0,
                "endValue": 0,
                "samples": [],
                "weights": [],
            },
        )
        names = [_plain(f) for f in (*stack.frames, *_waker(stack))]
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


def page(stacks: Sequence[CountedStack], title: str, about: str = "") -> str:
    """One HTML file."""
    root: dict[str, Any] = {"value": 0.0, "below": {}}
    for stack in stacks:
        root["value"] += stack.value
        node = root
        for frame in _frames(stack):
            node = node["below"].setdefault(_plain(frame), {"value": 0.0, "below": {}})
            node["value"] += stack.value
    unit = stacks[0].unit if stacks else "samples"
    names: dict[str, int] = {"all": 0}
    nodes: list[tuple[int, int, float]] = []
    left_out = _flatten(root, names, nodes)
    words = [about or _amount(root["value"], unit), count(len(stacks), "different stack")]
    if left_out:
        words.append(f"{count(left_out, 'frame')} of less than {_LEAST_SHARE:.2%} left out")
    data = {
        "title": safe(title),
        "about": safe("; ".join(words)),
        "unit": unit,
        "names": list(names),
        "nodes": nodes,
    }
    # Within a script element only `<` could end it: as an escape it is the same JSON.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return _PAGE.read_text("utf-8").replace("@DATA@", text)


def _flatten(
    root: dict[str, Any], names: dict[str, int], nodes: list[tuple[int, int, float]]
) -> int:
    """(depth, name, value) of each node behind its parent; how many were too narrow. Not recursive: stacks are deep."""
    least, left_out = root["value"] * _LEAST_SHARE, 0
    todo: list[tuple[int, str, dict[str, Any]]] = [(0, "all", root)]
    while todo:
        depth, name, node = todo.pop()
        if node["value"] < least or len(nodes) >= _MOST_NODES:
            left_out += 1
            continue
        nodes.append((depth, names.setdefault(name, len(names)), round(node["value"], 9)))
        todo += [(depth + 1, n, below) for n, below in sorted(node["below"].items(), reverse=True)]
    return left_out


def _frames(stack: CountedStack) -> tuple[str, ...]:
    """The thread, its frames, and who woke it, as flame graphs stack them."""
    return (*((stack.thread,) if stack.thread else ()), *stack.frames, *_waker(stack))


def _waker(stack: CountedStack) -> tuple[str, ...]:
    return ("-- woken by --", *reversed(stack.waker)) if stack.waker else ()


def _plain(text: str) -> str:
    return safe(text) or "[unknown]"


def _amount(value: float, unit: str) -> str:
    if unit == "s":
        return duration(value)
    return size(value) if unit == "bytes" else f"{value:,.0f} {unit}"
