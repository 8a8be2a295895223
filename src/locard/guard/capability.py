"""What this machine lets locard do, found by trying it and not by reading versions."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path


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
        _tool("py-spy", "stacks of live Python processes", "pip install py-spy"),
        _tool("dmesg", "OOM kills from the kernel's log", "apt-get install util-linux"),
        _kernel_stacks(),
        _sqlite(),
        _module("gunicorn", "the lab's services: locard demo", "pip install 'locard[lab]'"),
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
    found = importlib.util.find_spec("locard._native") is not None
    return Check(
        "native module",
        found,
        "logs are read by the native reader" if found else "logs are read by DuckDB, slower",
        "reading logs several times faster, with dirty lines counted by reason",
        "install a C++20 compiler (apt-get install g++), then: pip install --force-reinstall locard",
    )


def _module(name: str, adds: str, get: str) -> Check:
    found = importlib.util.find_spec(name) is not None
    return Check(name, found, "installed" if found else "not installed", adds, get)


def _tool(name: str, adds: str, get: str) -> Check:
    beside = Path(sys.executable).with_name(name)
    path = str(beside) if beside.exists() else shutil.which(name)
    return Check(name, path is not None, path or "not found on PATH", adds, get)


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
