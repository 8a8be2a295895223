"""From what the user wrote to places: `--on`, `host/NAME`, lists and patterns of hosts. Pure but for files."""

from __future__ import annotations

import fnmatch
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from locard.investigate import host_lists
from locard.model.errors import UsageError
from locard.model.evidence import Layer
from locard.model.place import HERE, Place
from locard.model.wording import without_password

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_BYTES = 16 << 20
_MOST_INCLUDES = 50
_WORD = re.compile(r"^\s*(?P<word>[A-Za-z]+)(?:\s*=\s*|\s+)(?P<rest>.*?)\s*$")


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
    if kind == "host" and without_password(name) != name:
        raise UsageError(
            f"{without_password(name)!r} is no host", "no password is ever taken", "Leave it out."
        )
    if kind == "host" and name:
        return host_lists.host_at(name)
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
    if name in host_lists.LOCAL_NAMES:
        return Asked(ref, on, "host/local")
    if not on.local:
        raise UsageError(
            f"{ref} and --on {on.ref} do not go together",
            "a host is reached from here, by your ssh configuration (ProxyJump for a way round)",
            "Leave --on out.",
        )
    return Asked(ref, place_of(ref), "host/local")


def hosts(text: str, ssh_config: Path | None = None) -> tuple[Place, ...]:
    """The hosts of `--hosts`: a list with commas, a file or a pipe (`-`), or a pattern over ssh's Host entries.

    A file has a host a line, or is an Ansible inventory (INI, or the JSON of ansible-inventory).
    """
    path = Path("/dev/stdin" if text == "-" else text).expanduser()
    if "," not in text and (path.is_file() or path.is_fifo() or path == Path("/dev/stdin")):
        found = _of_file(path)
    else:
        found = ()
        for word in filter(None, (w.strip() for w in text.split(","))):
            is_pattern = any(c in word for c in "*?")
            names = _matching(word, ssh_config) if is_pattern else tuple(host_lists.ranged(word))
            found += tuple(place_of(f"host/{name.removeprefix('host/')}") for name in names)
    every = tuple({place.ref: place for place in found}.values())
    if not every:
        raise UsageError(
            f"no host fits --hosts {text}",
            "neither a file of that name nor a Host of your ssh configuration fits",
            "Write names with commas, or name a file with a host a line.",
        )
    if len(every) > host_lists.MOST_HOSTS:
        raise UsageError(
            f"{len(every)} hosts", f"at most {host_lists.MOST_HOSTS} are asked", "Ask for fewer."
        )
    return every


def _of_file(path: Path) -> tuple[Place, ...]:
    with path.open("rb") as file:
        text = file.read(_MOST_BYTES).decode("utf-8", "replace")
    try:
        if text.lstrip().startswith("{"):
            return host_lists.of_inventory(json.loads(text))
        return tuple(host_lists.of_lines(text))
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is no list of hosts", f"it is no JSON: {error}", "One host a line will do."
        ) from error
    except UsageError as error:
        raise UsageError(
            f"{path} is no list of hosts", str(error.what) + ": " + error.why, error.next_step
        ) from error


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


def of_hosts(hosts: Iterable[Place], ref: str | None = None) -> tuple[Asked, ...]:
    """Each host of a fleet: itself, or the target of that name on it; raises UsageError."""
    if (
        ref is not None
        and ref.startswith("host/")
        and ref.partition("/")[2] not in host_lists.LOCAL_NAMES
    ):
        raise UsageError(
            f"{ref} and --hosts do not go together", "each says where", "Add it to --hosts."
        )
    itself = ref is None or ref.startswith("host/")
    return tuple(
        Asked(place.ref, place, "host/local") if itself else Asked(ref or "", place, ref or "")
        for place in hosts
    )
