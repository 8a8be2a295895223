"""What locard can do at a place: what its commands declare to need, and what was tried there.

The programs come from the templates' needs, what is permitted from `far/capabilities.py`, which tries it
there instead of reading versions. What this installation itself needs is looked for here.
"""

from __future__ import annotations

import importlib
import json
import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from locard.guard import kernel_refusal, needs
from locard.guard.command import Impact, Template

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locard.guard.command import Need
    from locard.model.place import Ground

NAME = "capabilities"
TRY = Template(
    ("python3", "-I", "-S", "-"),
    Impact.READS,
    5.0,
    by_hand="cat /proc/sys/kernel/yama/ptrace_scope; dmesg | tail -1; cat /proc/self/stack",
    program="far/capabilities.py",
    output="json",
    needs=(needs.PYTHON,),
    prompt=True,
)
TRY_KERNEL = Template(
    ("python3", "-I", "-S", "-"),
    Impact.READS,
    20.0,
    by_hand="bpftool feature probe",
    program="far/ebpf.py+far/try_kernel.py",
    output="json",
    needs=(needs.PYTHON,),
    prompt=True,
    parts=(
        ("library", "far/libfar.{machine}.so"),
        ("object", "kernel/programs/objects/{machine}/trial.o"),
    ),
)
COMMANDS = (TRY, TRY_KERNEL)
_OWN = frozenset({needs.PYTHON.program})  # what reads beside the target runs in it
_CAP_SYS_PTRACE = 19  # linux/capability.h


@dataclass(frozen=True, slots=True)
class Check:
    """One capability: whether it works, what it adds, and how to get it.

    `optional`: another program, without which what locard itself does is whole.
    """

    name: str
    works: bool
    detail: str
    adds: str
    get: str
    optional: bool = False


def installation() -> tuple[Check, ...]:
    """What this installation needs, wherever it looks at; imports, and starts nothing."""
    return (
        _native(),
        _module("duckdb", "reading and aggregating logs", "pip install locard"),
        _sqlite(),
        replace(
            _module(
                "gunicorn",
                "the broken service of `locard demo`; nothing else needs it",
                "pip install 'locard[lab]'",
            ),
            optional=True,
        ),
    )


def read_tried(stdout: str) -> dict[str, Any]:
    """What was tried at a place; empty where nothing could be."""
    try:
        found = json.loads(stdout)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def at_place(ground: Ground, tried: dict[str, Any], wanted: Iterable[Need]) -> tuple[Check, ...]:
    """What works at a place: permissions, then each program that some command declares to need."""
    every = tuple(wanted)
    programs = (
        replace(_program(need, ground, tried), optional=need.program not in _OWN)
        for need in every
        if not need.of
    )
    return (
        _root(ground),
        _kernel_stacks(tried),
        *_kernel_programs(tried),
        *programs,
        *_collections(every, ground),
    )


def _collections(wanted: Iterable[Need], ground: Ground) -> Iterable[Check]:
    """Collections of programs: there where any of them is."""
    by_name: dict[str, list[Need]] = {}
    for need in wanted:
        if need.of:
            by_name.setdefault(need.of, []).append(need)
    for name, needed in by_name.items():
        have = [path for need in needed if (path := ground.tool(need.program))]
        words = (
            f"{len(have)} of its programs, such as {have[0]}"
            if have
            else "none of its programs found"
        )
        yield Check(name, bool(have), words, needed[0].adds, needed[0].get, optional=True)


# What each kind of eBPF program adds, by its name in far/try_kernel.py.
_KINDS = (
    (
        "typed_tracepoint",
        "eBPF tracepoints",
        "system calls, opens, connects, run queue: nearly all of locard trace",
    ),
    (
        "iterator",
        "eBPF iterators",
        "locard waits at next to no cost; without it /proc is read, less often",
    ),
    ("clock", "eBPF CPU clock", "locard trace cpu-profile"),
)
_FUNCTIONS = ("function_entries", "function_entry")  # either will do
_UNNEEDED = (("kprobe", "eBPF kprobes"), ("fentry", "eBPF fentry"))
_GET = "root, or CAP_BPF and CAP_PERFMON, on a kernel with BTF"


def _kernel_programs(tried: dict[str, Any]) -> Iterable[Check]:
    """Each kind of eBPF program, as loading and attaching one of it went."""
    kinds, facts, numbers = tried.get("kinds"), tried.get("facts"), tried.get("numbers")
    if not isinstance(kinds, dict) or not isinstance(facts, dict):
        return
    numbers = numbers if isinstance(numbers, dict) else {}
    why = {kind: str(words) for kind, words in kinds.items()}
    works = f"loaded and attached on kernel {facts.get('kernel', '')} by libbpf {facts.get('libbpf', '')}"

    def no(kind: str, name: str, adds: str) -> Check:
        words = why.get(kind, "it was not tried")
        unlock = (
            kernel_refusal.unlock(numbers.get(kind), words, facts) or "a kernel that supports it"
        )
        return Check(name, False, f"no: {words}", adds, unlock)

    for kind, name, adds in _KINDS:
        yield Check(name, True, works, adds, _GET) if why.get(kind) == "" else no(kind, name, adds)
    many, single = (why.get(kind) for kind in _FUNCTIONS)
    functions = "locard libcalls, malloc-sizes, gil-wait, tls-latency"
    if many == "":
        yield Check("eBPF uprobes", True, f"{works}, many functions at once", functions, _GET)
    elif single == "":
        slower = f"{works}, one by one: many at once are not to be had ({many})"
        yield Check("eBPF uprobes", True, slower, functions, _GET)
    else:
        yield no("function_entry", "eBPF uprobes", functions)
    for kind, name in _UNNEEDED:
        words = works if why.get(kind) == "" else f"not here, and not needed: {why.get(kind)}"
        adds = "nothing that locard needs: its programs take tracepoints"
        yield Check(name, True, words, adds, "a kernel that supports it")
    spoils = str(tried.get("spoils", ""))
    yield Check(
        "USDT and probes inside functions",
        True,
        f"refused here: {spoils}" if spoils else "tried in a process of ours: they do no harm",
        "the marks that programs carry for tracing, such as those of CPython and libc",
        "a kernel whose probes leave the stack alone: this is tried before each use",
    )


def _program(need: Need, ground: Ground, tried: dict[str, Any]) -> Check:
    name = need.program
    path = ground.python and ground.executable if name == "python3" else ground.tool(name)
    if not path:
        detail = f"not found{' on PATH' if ground.python else ': there is no python3 to look with'}"
        if name == "python3" and ground.lacks:
            detail = {
                "old": "older than 3.6",
                "unfit": "cannot be started",
                "full": "not started: the memory limit there leaves no room for it",
            }.get(ground.lacks, "not there")
        return Check(name, False, detail, need.adds, need.get)
    if name == needs.PY_SPY.program:
        return _py_spy(need, path, ground, tried)
    if name == needs.DMESG.program and tried.get("kernel_log"):
        why = f"{path}, and the kernel's log cannot be read: {tried['kernel_log']}"
        get = "run as root (CAP_SYSLOG), or: sysctl kernel.dmesg_restrict=0"
        return Check(name, False, why, need.adds, get)
    return Check(name, True, path, need.adds, need.get)


def _py_spy(need: Need, path: str, ground: Ground, tried: dict[str, Any]) -> Check:
    """It reads the memory of other processes: the kernel decides whether it may."""
    if ground.may(_CAP_SYS_PTRACE):
        return Check(need.program, True, path, need.adds, need.get)
    scope = tried.get("ptrace_scope")
    if scope:
        why = f"{path}, and the kernel lets it read no other process (ptrace_scope is {scope})"
        return Check(need.program, False, why, need.adds, "run as root (CAP_SYS_PTRACE)")
    mine = f"{path}, for processes of this user"
    return Check(need.program, True, mine, need.adds, "run as root")


def _root(ground: Ground) -> Check:
    return Check(
        "root",
        ground.uid == 0,
        "running as root" if ground.uid == 0 else f"running as uid {ground.uid}",
        "stacks, open files and kernel states of other users' processes (CAP_SYS_PTRACE)",
        "run as root, or as the user of the target",
    )


def _kernel_stacks(tried: dict[str, Any]) -> Check:
    why = tried.get("kernel_stack", "it was not tried")
    return Check(
        "kernel stacks",
        not why,
        f"/proc/PID/stack: {why}" if why else "/proc/PID/stack can be read",
        "where in the kernel a thread waits",
        "run as root (CAP_SYS_ADMIN; containers need it in the host's user namespace)",
    )


def _native() -> Check:
    found = not _import_problem("locard._native")
    return Check(
        "native module",
        found,
        "logs are read by the native reader" if found else "logs are read by DuckDB, slower",
        "reading logs several times faster, with dirty lines counted by reason",
        "install a C++20 compiler (apt-get install g++), then: pip install --force-reinstall locard",
    )


def _module(name: str, adds: str, get: str) -> Check:
    problem = _import_problem(name)
    return Check(name, not problem, problem or f"installed: {adds}", adds, get)


def _import_problem(name: str) -> str:
    """Why a module cannot be imported; empty where it can."""
    try:
        importlib.import_module(name)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == name
        return "not installed" if missing else f"installed, and cannot be imported: {error}"
    return ""


def _sqlite() -> Check:
    works = sqlite3.sqlite_version_info >= (3, 24)
    return Check(
        "sqlite", works, f"version {sqlite3.sqlite_version}", "the ledger", "a newer Python build"
    )
