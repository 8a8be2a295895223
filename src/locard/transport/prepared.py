"""A command as it runs at its place: the exact argv, the program that is streamed, what must not be seen."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import platform
import shutil
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from locard import __version__
from locard.guard import needs, sudo
from locard.transport import credentials

if TYPE_CHECKING:
    from locard.guard.command import Command, Template
    from locard.model.place import Ground

_PACKAGE = Path(__file__).parent.parent
_SERVER = ("far/children.py", "far/serve.py")  # in one namespace
GET_PROGRAM = (
    "far/tls_access.py+far/protobuf_wire.py+far/exposition_protobuf.py+transport/_http_get.py"
)
_AGENT = f"locard/{__version__}"  # by which a target's log tells our requests from its clients'
# Programs that some template asks for: the ground says which of them are there.
_TOOLS = (*(need.program for need in needs.ALL), "sh", "grep", "find", "ss")
# Clients that keep a state of their own (podman ends where it cannot write it), and locard, which starts them.
# … and bpftrace, whose compiler keeps what it reads in files in memory, and one that it unlinks at once.
KEEP_STATE = frozenset({"locard", "docker", "podman", "kubectl", "bpftrace"})


@dataclass(frozen=True, slots=True)
class Part:
    """A file that travels beside a program: the C library, an eBPF object."""

    name: str
    digest: str
    packed: bytes  # zlib


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command as it runs at its place: the exact argv, and the program that is streamed to it."""

    argv: tuple[str, ...]
    program: bytes | None = None
    missing: str = ""
    secret: str = ""  # goes before the program: what must not stand in an argv
    parts: tuple[Part, ...] = ()

    @property
    def program_digest(self) -> str | None:
        """SHA-256 of the reader that is streamed and of its parts, as hex."""
        if self.program is None:
            return None
        digest = hashlib.sha256(self.program)
        for part in self.parts:
            digest.update(part.digest.encode())
        return digest.hexdigest()


@functools.cache
def server_payload() -> bytes:
    """The source that is given to the python3 there."""
    parts = [(_PACKAGE / name).read_bytes() for name in _SERVER]
    return b"\n".join([f"TOOLS = {_TOOLS!r}".encode(), *parts])


def _source(program: str) -> bytes:
    """What is streamed: one file, or several that are joined by + and run in one namespace."""
    return b"\n".join((_PACKAGE / name).read_bytes() for name in program.split("+"))


def _parts(template: Template, machine: str) -> tuple[Part, ...]:
    """Those that this build has for the machine; the program says which it misses."""
    found = (_part(name, path.replace("{machine}", machine)) for name, path in template.parts)
    return tuple(part for part in found if part is not None)


@functools.cache
def _part(name: str, path: str) -> Part | None:
    data = None
    for folder in _folders():
        with contextlib.suppress(OSError):
            data = (folder / path).read_bytes()
            break
    if data is None:
        return None
    return Part(name, hashlib.sha256(data).hexdigest(), zlib.compress(data, 1))


def _folders() -> tuple[Path, ...]:
    """Where the package lies, and where what was compiled does: an editable install has two places."""
    spec = importlib.util.find_spec("locard._native")
    return (_PACKAGE, Path(spec.origin).parent) if spec and spec.origin else (_PACKAGE,)


def prepare(command: Command, ground: Ground | None, *, local: bool) -> Prepared:
    """The exact argv where `ground` is; `missing` says which executable is not there."""
    python = (ground.executable if ground else "") or (sys.executable if local else "python3")
    if command.via == "http":
        method, url = command.argv
        argv = (python, "-I", "-S", "-", method, _public(url), str(command.max_bytes))
        return Prepared(argv, _source(GET_PROGRAM), secret=_secret(url))
    name, rest = command.argv[0], command.argv[1:]
    if command.program is not None:
        url = next((a for a in rest if a.startswith(("http://", "https://"))), "")
        reader = (python, *(_public(a) if a == url else a for a in rest))
        reader = sudo.through(command, reader, ground.sudo) if ground else reader
        machine = (ground.machine if ground else "") or platform.machine()
        return Prepared(
            reader,
            _source(command.program),
            secret=_secret(url) if url else "",
            parts=_parts(command.template, machine),
        )
    if name == "locard":
        return Prepared((sys.executable, *_isolated(), "-m", "locard", *rest))
    if local:
        beside = Path(sys.executable).with_name(name)
        path = str(beside) if beside.exists() else shutil.which(name)
        return Prepared((path or name, *rest), missing="" if path else name)
    found = ground.tool(name) if ground else ""
    if ground is not None and not ground.bare and name in _TOOLS and not found:
        return Prepared(command.argv, missing=name)
    there = (found or name, *rest)
    return Prepared(sudo.through(command, there, ground.sudo) if ground else there)


def _isolated() -> tuple[str, ...]:
    """Flags of an interpreter that imports nothing from its folder or the environment.

    Where locard was installed for one user only, `-I` would not find it.
    """
    users = getattr(sys.modules.get("site"), "USER_SITE", None)
    return ("-E", "-P") if users and str(_PACKAGE).startswith(users) else ("-I",)


def _secret(url: str) -> str:
    """What goes before a program that asks a URL: it may hold a password, a token, a key."""
    known = credentials.of(url)
    beside = {where: dict(headers) for where, headers in known.beside}
    return (
        f"URL = {url!r}\nAGENT = {_AGENT!r}\n"
        f"HEADERS = {dict(known.headers)!r}\nTLS = {dict(known.tls)!r}\n"
        f"BESIDE = {beside!r}\n"
    )


def _public(url: str) -> str:
    """The URL without user, password and query: every user of the machine may read an argv."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
