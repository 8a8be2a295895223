"""From what the user wrote to places: `--on`, `host/NAME`, lists and patterns of hosts. Pure but for files."""

from __future__ import annotations

import fnmatch
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from locard.model.errors import UsageError
from locard.model.evidence import Layer
from locard.model.place import HERE, Place
from locard.model.wording import without_password

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LOCAL_NAMES = frozenset({"local", "localhost"})
_MOST_HOSTS = 5000
_MOST_INCLUDES = 50
_WORD = re.compile(r"^\s*(?P<word>[A-Za-z]+)(?:\s*=\s*|\s+)(?P<rest>.*?)\s*$")
# `web[01:20].example.org` of an Ansible inventory.
_RANGE = re.compile(r"\[(?P<first>\d+):(?P<last>\d+)\]")


@dataclass(frozen=True, slots=True)
class Asked:
    """One target as it was written, the place where it runs, and what it is called there."""

    ref: str
    place: Place
    there: str
    layers: tuple[Layer, ...] = tuple(Layer)  # that are asked of it
    closed: str = ""  # why its place cannot be entered, known before it was tried

    @property
    def label(self) -> str:
        """What it is called among others: a target of one name may be at many places."""
        if self.place.transport == "kubectl":
            return self.place.ref
        own = self.place.local or self.ref.startswith("host/") or self.ref == self.place.ref
        return self.ref if own else f"{self.ref} on {self.place.ref}"


def place_of(ref: str) -> Place:
    """The place of `--on`: host/NAME, host/USER@NAME, host/local or container/NAME."""
    kind, _, name = ref.partition("/")
    if kind == "host" and name in _LOCAL_NAMES:
        return HERE
    if kind == "host" and without_password(name) != name:
        raise UsageError(
            f"{without_password(name)!r} is no host", "no password is ever taken", "Leave it out."
        )
    if kind == "host" and name:
        return Place(ref, "ssh")
    if kind == "container" and name:
        return Place(ref, "docker")
    raise UsageError(
        f"{ref!r} is no place",
        "a place is host/NAME (by ssh), host/local or container/NAME",
        "Write for example --on host/web-17.",
    )


def asked(ref: str, on: Place = HERE) -> Asked:
    """Where a target runs: `host/NAME` is its own place, anything else is at `on`."""
    kind, _, name = ref.partition("/")
    if kind != "host":
        return Asked(ref, on, ref)
    if name in _LOCAL_NAMES:
        return Asked(ref, on, "host/local")
    if not on.local:
        raise UsageError(
            f"{ref} and --on {on.ref} do not go together",
            "a host is reached from here, by your ssh configuration (ProxyJump for a way round)",
            "Leave --on out.",
        )
    return Asked(ref, place_of(ref), "host/local")


def hosts(text: str, ssh_config: Path | None = None) -> tuple[str, ...]:
    """The names of `--hosts`: a list with commas, a file, or a pattern over ssh's Host entries.

    A file has a host a line, or is an Ansible inventory (INI, or the JSON of ansible-inventory).
    """
    path = Path(text).expanduser()
    if "," not in text and path.is_file():
        found = tuple(_of_file(path))
    else:
        found = ()
        for word in filter(None, (w.strip() for w in text.split(","))):
            is_pattern = any(c in word for c in "*?[")
            found += _matching(word, ssh_config) if is_pattern else (word,)
    names = tuple(dict.fromkeys(name.removeprefix("host/") for name in found))
    if not names:
        raise UsageError(
            f"no host fits --hosts {text}",
            "neither a file of that name nor a Host of your ssh configuration fits",
            "Write names with commas, or name a file with a host a line.",
        )
    if len(names) > _MOST_HOSTS:
        raise UsageError(
            f"{len(names)} hosts", f"at most {_MOST_HOSTS} are asked", "Ask for fewer."
        )
    return names


def _of_file(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8", "replace")
    if text.lstrip().startswith("{"):
        try:
            yield from of_inventory(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"{path} is no list of hosts", f"it is no JSON: {error}", "One host a line will do."
            ) from error
        return
    section = ""
    for raw in text.splitlines():
        line = raw.split("#", 1)[0].split(";", 1)[0].strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not section.endswith((":vars", ":children")):
            yield from _ranged(line.split()[0])


def _ranged(name: str) -> Iterator[str]:
    found = _RANGE.search(name)
    if found is None:
        yield name
        return
    width = len(found["first"])
    for number in range(int(found["first"]), min(int(found["last"]), 10**6) + 1):
        yield from _ranged(name[: found.start()] + str(number).zfill(width) + name[found.end() :])


def of_inventory(data: object) -> tuple[str, ...]:
    """The hosts in the JSON of `ansible-inventory --list`, by the address that ssh takes."""
    if not isinstance(data, dict):
        return ()
    meta = data.get("_meta")
    variables = meta.get("hostvars", {}) if isinstance(meta, dict) else {}
    names: dict[str, None] = dict.fromkeys(map(str, variables))
    for group in data.values():
        listed = group.get("hosts") if isinstance(group, dict) else None
        names.update(dict.fromkeys(map(str, listed if isinstance(listed, list) else ())))
    return tuple(names)


def _matching(pattern: str, config: Path | None) -> tuple[str, ...]:
    """The Host entries of the user's ssh configuration that a pattern fits."""
    start = config or Path("~/.ssh/config").expanduser()
    names = _aliases(start, [])
    return tuple(n for n in dict.fromkeys(names) if fnmatch.fnmatchcase(n, pattern))


def _aliases(path: Path, seen: list[Path]) -> list[str]:
    if path in seen or len(seen) > _MOST_INCLUDES:
        return []
    seen.append(path)
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    found: list[str] = []
    for line in lines:
        match = _WORD.match(line)
        if match is None:
            continue
        word, rest = match["word"].lower(), match["rest"]
        if word == "host":
            found += [n for n in rest.split() if not any(c in n for c in "*?!")]
        elif word == "include":
            for name in rest.split():
                base = Path(name).expanduser()
                base = base if base.is_absolute() else Path("~/.ssh").expanduser() / base
                for part in sorted(base.parent.glob(base.name)):
                    found += _aliases(part, seen)
    return found


def of_hosts(names: Iterable[str], ref: str | None = None) -> tuple[Asked, ...]:
    """Each host of a fleet: itself, or the target of that name on it."""
    every = []
    for name in names:
        place = place_of(f"host/{name}")
        every.append(
            Asked(f"host/{name}", place, "host/local")
            if ref is None or ref.startswith("host/")
            else Asked(ref, place, ref)
        )
    return tuple(every)
