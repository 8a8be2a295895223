"""Which runtime a process has, by the files that it has mapped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.model.evidence import Output

_MOST_NATIVE = 8  # executables that are searched for Go's mark

# What a runtime has mapped: (name, pattern of the path's end). The first that fits is it.
_MAPPED = (
    ("PyPy", r"(libpypy[0-9.]*-?c?\.so|pypy[0-9.]*)"),
    ("CPython", r"(libpython[0-9.]+[a-z]*\.so|python[0-9.]*[a-z]?)"),
    ("JVM", r"(libjvm\.so)"),
    ("Node.js", r"(node|nodejs|libnode\.so)"),
    ("Ruby", r"(libruby[-a-z0-9.]*\.so|ruby[0-9.]*)"),
    (".NET", r"(libcoreclr\.so)"),
    ("PHP", r"(libphp[0-9.]*\.so|php[-a-z]*[0-9.]*)"),
    ("Erlang", r"(beam\.smp|beam)"),
    ("Perl", r"(libperl\.so|perl[0-9.]*)"),
    ("Lua", r"(libluajit[-a-z0-9.]*\.so|lua[0-9.]*)"),
)
_ENDS = r"[0-9.]*( |$)"
_SUBINTERPRETERS = r"_(xxsub)?interpreters\.cpython"
_EVERY = "|".join(pattern for _, pattern in _MAPPED)
_UNREAD = "it has ended, or may not be read (CAP_SYS_PTRACE, or run as its user)"
NATIVE, UNKNOWN = "native", "unknown"

MAPPED = Template(
    # The interpreter itself or its library, not an extension module named after it. Every process
    # has a stack: a process without that line could not be read.
    argv=(
        "grep",
        "-s",
        "-a",
        "-o",
        "-E",
        f"/({_EVERY}){_ENDS}|\\[stack\\]|/{_SUBINTERPRETERS}",
        "/dev/null",  # a second file, so that grep names the file of a match
        "/proc/{pid:pid*}/maps",
    ),
    impact=Impact.READS,
    bound_s=3.0,
    by_hand="for p in {pid}; do readlink /proc/$p/exe; grep -oE '/[^ ]*(python|node|jvm|ruby)[^ ]*' /proc/$p/maps | sort -u; done",
    output="counters",
)
GO = Template(
    argv=(
        "grep",
        "-s",
        "-l",
        "-a",
        "-m1",
        "-F",
        "Go buildinf:",
        "/dev/null",
        "/proc/{pid:pid*}/exe",
    ),
    impact=Impact.READS,
    bound_s=3.0,
    output="counters",
)

_LINE = re.compile(r"^/proc/(\d+)/maps:(.*)$", re.MULTILINE)
_VERSION = re.compile(r"([23]\.[0-9]+)")


def is_mapped(output: Output) -> bool:
    """Whether an output is of MAPPED."""
    return output.program == "grep" and "-o" in output.argv


def is_go(output: Output) -> bool:
    """Whether an output is of GO."""
    return output.program == "grep" and "-l" in output.argv


def runtimes(mapped: Output | None, go: Sequence[Output]) -> dict[int, str]:
    """The runtime of each process that was asked for, in the order of the question."""
    if mapped is None:
        return {}
    lines: dict[int, list[str]] = {}
    for pid, what in _LINE.findall(mapped.text):
        lines.setdefault(int(pid), []).append(what.strip())
    asked = dict.fromkeys(map(int, re.findall(r"/proc/(\d+)/maps", " ".join(mapped.argv))))
    gos = {int(p) for o in go for p in re.findall(r"^/proc/(\d+)/exe$", o.text, re.MULTILINE)}
    return {p: "Go" if p in gos else _runtime(lines.get(p)) for p in asked}


def _runtime(lines: list[str] | None) -> str:
    if lines is None:
        return UNKNOWN
    for name, pattern in _MAPPED:
        for line in lines:
            if re.fullmatch(f"/{pattern}[0-9.]*", line):
                version = _VERSION.search(line) if name == "CPython" else None
                return f"{name} {version[1]}" if version else name
    return NATIVE


def pythons(mapped: Output) -> set[int]:
    """The CPython processes."""
    return {p for p, name in runtimes(mapped, ()).items() if name.startswith("CPython")}


def with_interpreters(mapped: Output | None) -> set[int]:
    """Processes that have loaded what makes further interpreters within one process."""
    lines = _LINE.findall(mapped.text) if mapped is not None else []
    return {int(pid) for pid, what in lines if re.search(_SUBINTERPRETERS, what)}


def unknown(mapped: Output) -> tuple[int, ...]:
    """Processes that were read and have none of these: their executable may be Go's."""
    return tuple(p for p, name in runtimes(mapped, ()).items() if name == NATIVE)[:_MOST_NATIVE]


def why_not(runtime: str) -> str:
    """Why a process of that runtime gave no stacks."""
    if runtime in {UNKNOWN, ""}:
        return _UNREAD
    if runtime == NATIVE:
        return "no adapter yet"
    if runtime.startswith("CPython"):
        return "py-spy gave no stacks"
    return "no adapter yet"
