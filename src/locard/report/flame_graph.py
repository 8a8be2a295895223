"""Stacks as a flame graph: one self-contained page to search and zoom; beside an earlier profile, by what changed.

The page needs no network; names of functions are data in it and reach it by textContent alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locard.model.kernel_words import duration, size
from locard.model.wording import count
from locard.report import stack_base, stack_files
from locard.report.plain import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locard.model.kernel_facts import CountedStack
    from locard.report.stack_base import Base

_PAGE = Path(__file__).with_name("flame_graph.html")
_LEAST_SHARE = 0.0002  # of the whole: less is narrower than a hair
_MOST_NODES = 50000
_MOST_CHANGES = 60


def rendered(
    path: str, stacks: Sequence[CountedStack], title: str, about: str = "", base: Base | None = None
) -> str:
    """As the name of the file asks for."""
    if path.endswith((".html", ".htm")):
        return page(stacks, title, about, base)
    if path.endswith(".json"):
        return stack_files.speedscope(stacks, title)
    return stack_files.folded(stacks)


def page(
    stacks: Sequence[CountedStack], title: str, about: str = "", base: Base | None = None
) -> str:
    """One HTML file; with a `base`: frames without lines, coloured by how their share of all changed since."""
    unit = stacks[0].unit if stacks else "samples"
    every = list(stack_files.merged(stacks))
    if base is not None:
        every = [(stack_base.comparable(path), value) for path, value in every]
    root = _tree(every)
    before = _tree(base.paths.items()) if base is not None else None
    names: dict[str, int] = {"all": 0}
    nodes: list[tuple[Any, ...]] = []
    left_out = _flatten(root, names, nodes, before)
    words = [about or _amount(root["value"], unit), count(len(stacks), "different stack")]
    if left_out:
        words.append(f"{count(left_out, 'frame')} of less than {_LEAST_SHARE:.2%} left out")
    data: dict[str, Any] = {
        "title": safe(title),
        "about": safe("; ".join(words)),
        "unit": unit,
        "names": list(names),
        "nodes": nodes,
    }
    if base is not None:
        data["base"] = safe(base.about)
        data["about"] += safe(
            f"; beside {base.about}: red has a greater share of all than there, blue a smaller one, grey"
            " no more of a change than chance gives; compared by function, without lines, pids and"
            " numbers of threads"
        )
        data["noise"] = [root["value"], base.total]
        data["changes"] = [
            [c.name, c.own_before, c.own_now, c.whole_before, c.whole_now]
            for c in stack_base.changes(every, base)[:_MOST_CHANGES]
        ]
    # Within a script element only `<` could end it: as an escape it is the same JSON.
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return _PAGE.read_text("utf-8").replace("@DATA@", text)


def _tree(every: Iterable[tuple[tuple[str, ...], float]]) -> dict[str, Any]:
    root: dict[str, Any] = {"value": 0.0, "below": {}}
    for path, value in every:
        root["value"] += value
        node = root
        for frame in path:
            node = node["below"].setdefault(frame, {"value": 0.0, "below": {}})
            node["value"] += value
    return root


def _flatten(
    root: dict[str, Any],
    names: dict[str, int],
    nodes: list[tuple[Any, ...]],
    before: dict[str, Any] | None,
) -> int:
    """(depth, name, value) of each node behind its parent, its share in `before` too; how many were too narrow.

    Not recursive: stacks are deep.
    """
    least, left_out = root["value"] * _LEAST_SHARE, 0
    todo: list[tuple[int, str, dict[str, Any], dict[str, Any] | None]] = [(0, "all", root, before)]
    while todo:
        depth, name, node, old = todo.pop()
        if node["value"] < least or len(nodes) >= _MOST_NODES:
            left_out += 1
            continue
        shown = (depth, names.setdefault(name, len(names)), round(node["value"], 9))
        share: tuple[float, ...] = ()
        if before is not None:
            share = (round(old["value"] / before["value"], 6) if old else 0.0,)
        nodes.append((*shown, *share))
        todo += [
            (depth + 1, n, below, old["below"].get(n) if old else None)
            for n, below in sorted(node["below"].items(), reverse=True)
        ]
    return left_out


def _amount(value: float, unit: str) -> str:
    if unit == "s":
        return duration(value)
    return size(value) if unit == "bytes" else f"{value:,.0f} {unit}"
