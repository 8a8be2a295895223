"""What this machine lets locard do, found by trying it and not by reading versions."""

from __future__ import annotations

import ctypes
import importlib
import os
import shutil
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path

_CAP_SYS_PTRACE = 19  # linux/capability.h
_READ_ALL = 3  # syslog(2): SYSLOG_ACTION_READ_ALL


@dataclass(frozen=True, slots=True)
class Check:
    """One capability: whether it works here, what it adds, and how to get it."""

    name: str
    works: bool
    detail: str
    adds: str
    get: str


def checks() -> tuple[Check, ...]:
    """All checks; reads only."""
    return (
        _root(),
        _native(),
        _module("duckdb", "reading and aggregating logs", "pip install locard"),
        _stacks_of_python(),
        _kernel_log(),
        _kernel_stacks(),
        _sqlite(),
        _module(
            "gunicorn",
            "the broken service of `locard demo`; nothing else needs it",
            "pip install 'locard[lab]'",
        ),
    )


def _root() -> Check:
    uid = os.geteuid()
    return Check(
        "root",
        uid == 0,
        "running as root" if uid == 0 else f"running as uid {uid}",
        "stacks, open files and kernel states of other users' processes (CAP_SYS_PTRACE)",
        "run as root, or as the user of the target",
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


def _path_of(name: str) -> str | None:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def _stacks_of_python() -> Check:
    """py-spy reads the memory of other processes: the kernel decides whether it may."""
    adds = "stacks of live Python processes"
    path = _path_of("py-spy")
    if path is None:
        return Check("py-spy", False, "not found on PATH", adds, "pip install py-spy")
    if _has_capability(_CAP_SYS_PTRACE):
        return Check("py-spy", True, path, adds, "pip install py-spy")
    scope = _ptrace_scope()
    if scope:
        why = f"{path}, and the kernel lets it read no other process (ptrace_scope is {scope})"
        return Check("py-spy", False, why, adds, "run as root (CAP_SYS_PTRACE)")
    return Check("py-spy", True, f"{path}, for processes of this user", adds, "run as root")


def _has_capability(bit: int) -> bool:
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace")
        effective = status.partition("CapEff:")[2].split()[0]
        return bool(int(effective, 16) >> bit & 1)
    except (OSError, ValueError, IndexError):
        return os.geteuid() == 0


def _ptrace_scope() -> int:
    """Yama's setting: 0 where processes of the same user may be read; 0 without Yama."""
    try:
        return int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text("ascii"))
    except (OSError, ValueError):
        return 0


def _kernel_log() -> Check:
    """Dmesg reads the kernel's log by /dev/kmsg, else by syslog(2)."""
    adds = "OOM kills from the kernel's log"
    path = _path_of("dmesg")
    if path is None:
        return Check("dmesg", False, "not found on PATH", adds, "apt-get install util-linux")
    problem = _kernel_log_problem()
    return Check(
        "dmesg",
        not problem,
        f"{path}, and the kernel's log cannot be read: {problem}" if problem else path,
        adds,
        "run as root (CAP_SYSLOG), or: sysctl kernel.dmesg_restrict=0",
    )


def _kernel_log_problem() -> str:
    """Why the kernel's log cannot be read, in the kernel's words; empty where it can."""
    try:
        os.close(os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.klogctl(_READ_ALL, ctypes.create_string_buffer(1), 1) < 0:
            return os.strerror(ctypes.get_errno())
    return ""


def _kernel_stacks() -> Check:
    try:
        Path("/proc/self/stack").read_bytes()
    except OSError as error:
        works, detail = False, f"/proc/PID/stack: {error.strerror}"
    else:
        works, detail = True, "/proc/PID/stack can be read"
    return Check(
        "kernel stacks",
        works,
        detail,
        "where in the kernel a thread waits",
        "run as root (CAP_SYS_ADMIN; containers need it in the host's user namespace)",
    )


def _sqlite() -> Check:
    works = sqlite3.sqlite_version_info >= (3, 24)
    return Check(
        "sqlite", works, f"version {sqlite3.sqlite_version}", "the ledger", "a newer Python build"
    )
