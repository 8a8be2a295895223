"""The catalogue: extensions are found by file name and imported only when they are used.

A folder of `FOLDERS` is a kind of extension; each of its modules whose name has no leading
underscore is one extension. Adding one is adding a file (and its test).

This module stands at the start of every command, so it imports next to nothing.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, NamedTuple

from locard.model.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from types import ModuleType

_ROOT = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib costs 10 ms


class Folder(NamedTuple):
    """One extension folder: what it holds and, for probes, which layer it belongs to."""

    kind: str  # probe, rule, format, source, dialect, scenario, command
    package: str
    layer: str | None = None


FOLDERS = (
    Folder("probe", "logs.probes", "logs"),
    Folder("probe", "metrics.sources", "metrics"),
    Folder("probe", "runtime.python", "runtime"),
    Folder("probe", "kernel.probes", "kernel"),
    Folder("probe", "kernel.programs", "kernel"),
    Folder("probe", "host", "host"),
    Folder("rule", "rules"),
    Folder("format", "logs.formats"),
    Folder("source", "logs.sources"),
    Folder("dialect", "logs.backends"),
    Folder("scenario", "lab.scenarios"),
    Folder("command", "cli.commands"),
)


class Entry(NamedTuple):
    """One extension, not imported yet. `name` is its file name with dashes."""

    kind: str
    name: str
    module: str
    layer: str | None
    path: str

    def load(self) -> ModuleType:
        """Import it."""
        return importlib.import_module(self.module)

    def summary(self) -> str:
        """The first line of its docstring, read from the file without importing it."""
        with open(self.path, encoding="utf-8") as source:  # noqa: PTH123 - as above
            return source.readline().strip().strip('"').rstrip(".")


def entries(kind: str, layer: str | None = None) -> tuple[Entry, ...]:
    """All extensions of a kind, by folder and then by name; lists files, imports nothing."""
    found = []
    for folder in FOLDERS:
        if folder.kind != kind or (layer is not None and folder.layer != layer):
            continue
        path = os.path.join(_ROOT, *folder.package.split("."))  # noqa: PTH118 - as above
        for file in sorted(os.listdir(path)):  # noqa: PTH208 - as above
            name, dot, ending = file.partition(".")
            if dot and ending == "py" and not name.startswith("_"):
                module = f"locard.{folder.package}.{name}"
                label = name.replace("_", "-")
                found.append(Entry(kind, label, module, folder.layer, f"{path}/{file}"))
    return tuple(found)


def entry(kind: str, name: str, layer: str | None = None) -> Entry:
    """The extension of that name; raises UsageError with the list of those that exist."""
    every = entries(kind, layer)
    for item in every:
        if item.name == name:
            return item
    near = did_you_mean(name, [e.name for e in every])
    names = f"there is: {', '.join(e.name for e in every) or 'none'}"
    why = f"{near} {names[0].upper()}{names[1:]}" if near else names
    raise UsageError(f"no {kind} {name!r}", why, "Pick one of these.")
