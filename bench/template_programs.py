"""What installed programs log: the formats in their binaries, modules and message files.

Nothing of theirs is kept here: the formats are read from what is installed when this runs (or from the
unpacked packages below LOCARD_PROGRAMS, one folder a program), so that the truth is the program's own.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import re
import struct
import sysconfig
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DAEMONS = (
    "nginx", "redis-server", "postgres", "sshd", "apache2", "cron", "sudo", "named", "dnsmasq",
    "haproxy", "mosquitto", "rsyslogd", "mariadbd", "squid", "chronyd", "systemd", "dockerd",
)  # fmt: skip
FOLDERS = ("/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin")
FEWEST = 40  # formats, to be a program of the test
MOST_BYTES = 60 << 20
_TEXT = re.compile(rb"(?:\x01[0-7])?([A-Za-z%\"'\[(][\x20-\x7e]{9,299})\n?\x00")
_C = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|h|ll|l|j|z|t|L)?([diouxXeEfFgGcspm%])")
_JAVA = re.compile(r"'?\{\d*\}'?")
_NO_MESSAGE = re.compile(
    r"(?i)\w->\w|==|\(\(|\b__|usage|\bsyntax:|copyright|select .* from|[\\^]|--\w|https?:|<\w+>|\$\{|%\("
)
_LOGS = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log"}


@dataclass(frozen=True, slots=True)
class Program:
    """A program with its formats (in the order in which they lie there) and words of its own."""

    name: str
    formats: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def held_out(self) -> bool:
        """Whether nobody looks at its mistakes: by how its name begins, so that it stays so.

        Programs of one family (postgres and postgresql-15) are on one side.
        """
        family = self.name.removeprefix("py-").removeprefix("lib")[:3]
        return hashlib.sha256(family.encode()).digest()[0] % 2 == 1


def is_format(text: str) -> bool:
    """A message with at least two words of its own, at most 8 variables and no help text."""
    if _NO_MESSAGE.search(text):
        return False
    bare = _C.sub(" \0 ", text)
    words = [w for w in re.findall(r"[A-Za-z]{2,}", bare) if w.lower() != "null"]
    variables = bare.count("\0") - text.count("%%")
    return (
        len(words) >= 2 and variables <= 8 and (variables >= 1 or len(words) >= 3) and " " in text
    )


def _of_binary(data: bytes) -> Iterator[str]:
    for found in _TEXT.finditer(data):
        text = found[1].decode("ascii").rstrip()
        if is_format(text):
            yield text


def _of_python(source: str) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _LOGS
        ):
            for arg in node.args[:2]:
                if (
                    isinstance(arg, ast.Constant)
                    and isinstance(arg.value, str)
                    and is_format(arg.value)
                ):
                    yield arg.value.split("\n")[0].strip()


def _constants(data: bytes) -> Iterator[str]:
    """The texts in the constant pool of a Java class (JVM specification, 4.4)."""
    at, left = 10, struct.unpack_from(">H", data, 8)[0] - 1
    while left > 0 and at < len(data):
        tag = data[at]
        if tag == 1:
            size = struct.unpack_from(">H", data, at + 1)[0]
            yield data[at + 3 : at + 3 + size].decode("utf-8", "replace")
            at += 3 + size
        else:
            at += {3: 5, 4: 5, 5: 9, 6: 9, 7: 3, 8: 3, 15: 4, 16: 3, 19: 3, 20: 3}.get(tag, 5)
        left -= 2 if tag in {5, 6} else 1


def _of_jar(path: Path) -> Iterator[str]:
    """`{}` of slf4j in classes, `{0}` of MessageFormat in LocalStrings; both written as %s."""
    with zipfile.ZipFile(path) as jar:
        for name in sorted(jar.namelist()):
            if name.endswith(".class"):
                texts: Iterable[str] = _constants(jar.read(name))
            elif name.endswith("LocalStrings.properties"):
                lines = jar.read(name).decode("latin-1").splitlines()
                texts = (line.split("=", 1)[1] for line in lines if "=" in line)
            else:
                continue
            for text in texts:
                if "{" in text and "%" not in text and text.isprintable():
                    plain = _JAVA.sub("%s", text.replace("''", "'").strip())
                    if "%s" in plain and "{" not in plain and len(plain) < 300 and is_format(plain):
                        yield plain


def _formats(path: Path) -> tuple[list[str], bytes]:
    """The formats in a file, and its bytes where they hold words of the program."""
    if path.suffix == ".jar":
        return list(_of_jar(path)), b""
    if path.suffix == ".py":
        return list(_of_python(path.read_text("utf-8", "replace"))), b""
    data = path.read_bytes()
    return (list(_of_binary(data)), data) if data[:4] == b"\x7fELF" else ([], b"")


def _program(name: str, files: Iterable[Path]) -> Program | None:
    formats: dict[str, None] = {}
    words: dict[str, None] = {}
    size = 0
    for path in sorted(files):
        if path.is_symlink() or not path.is_file() or size > MOST_BYTES:
            continue
        size += path.stat().st_size
        try:
            found, data = _formats(path)
        except (OSError, zipfile.BadZipFile, struct.error, zlib.error):
            continue
        formats |= dict.fromkeys(found)
        for word in re.findall(rb"\x00([a-z]{3,9}(?:[_-][a-z]{2,9})?)\x00", data[: 8 << 20]):
            words[word.decode()] = None
    if len(formats) < FEWEST:
        return None
    return Program(name, tuple(formats), tuple(words)[:4000])


@functools.cache
def programs() -> tuple[Program, ...]:
    """All that there are, by name."""
    sources: dict[str, list[Path]] = {}
    for name in DAEMONS:
        path = next((p for f in FOLDERS if (p := Path(f, name)).is_file()), None)
        if path is not None:
            sources[name] = [path.resolve()]
    root = os.environ.get("LOCARD_PROGRAMS")
    if root:
        for folder in sorted(p for p in Path(root).iterdir() if p.is_dir()):
            sources.setdefault(folder.name, []).extend(folder.rglob("*"))
    for package in sorted(Path(sysconfig.get_paths()["purelib"]).glob("*/__init__.py")):
        sources.setdefault("py-" + package.parent.name, []).extend(package.parent.rglob("*.py"))
    found = (_program(name, files) for name, files in sorted(sources.items()))
    return tuple(p for p in found if p is not None)
