"""Other programs' names as a command: what locard has for each."""

from __future__ import annotations

import re

from locard.cli.commands.trace import KNOWN_AS
from locard.model.errors import UsageError
from locard.model.wording import without_password

_TARGET = "TARGET"
_CALLS = "syscalls {target}"
_STACKS = "stacks {target}"
_HOST = "host host/local"
# What the names of the eBPF programs (KNOWN_AS) do not say.
_TOOLS = {
    "strace": _CALLS, "truss": _CALLS, "syscount": _CALLS, "sysdig": _CALLS,
    "ltrace": "libcalls {target}", "funccount": "libcalls {target}", "funclatency": "libcalls {target}",
    "perf": "trace cpu-profile {target}", "flamegraph": "trace cpu-profile {target} --flame FILE.html",
    "bpftrace": "trace -e 'PROGRAM' {target}",
    "py-spy": _STACKS, "pyspy": _STACKS, "pystack": _STACKS, "py-spy top": "top {target}", "py-spy record": "profile {target}", "pyrasite": _STACKS, "austin": "profile {target}",
    "record": "profile {target}", "dump": _STACKS, "thread": _STACKS, "dashboard": "top {target}", "jstack": _STACKS,
    "sc": "find {target} 'module:*'", "sm": "find {target} 'module:Class.*'", "jad": "find {target} 'module:name'",
    "tt": "watch {target} 'module:function' --allow injects", "vmtool": "heap {target}",
    "monitor": "watch {target} 'module:function' --stats --allow injects",
    "heapdump": "heap {target}", "objgraph": "heap {target}", "memray": "heap {target}",
    "pstack": "waits {target}", "gdb": "waits {target}", "eu-stack": "waits {target}", "wchan": "waits {target}",
    "lsof": "probe fds {target}", "ss": "probe sockets {target}", "netstat": "probe sockets {target}",
    "tcpdump": "trace tcp-retransmits {target}",
    "vmstat": _HOST, "mpstat": _HOST, "sar": _HOST, "free": _HOST, "df": _HOST, "uptime": _HOST,
    "dmesg": _HOST, "htop": _HOST,
    "iostat": "trace disk-latency host/local", "iotop": "trace disk-latency host/local",
    "journalctl": "logs journald", "tail": "logs PATH", "grep": "logs PATH", "zcat": "logs PATH",
}  # fmt: skip
_ENDING = re.compile(r"(-bpfcc|\.bt)$")
_PID = re.compile(r"(?:^|\s)(?:-p|--pid)[= ]?([0-9]{1,10})(?=\s|$)")
_KIND = re.compile(r"(?:^|\s)([a-z]+/\S+)")


def instead_of(name: str) -> str:
    """The words after `locard` that do what a tool of that name is used for; empty where none is known."""
    bare = _ENDING.sub("", name.lower())
    if program := KNOWN_AS.get(bare):
        return f"trace {program} {{target}}"
    return _TOOLS.get(bare, "")


def no_tool(words: list[str], name: str) -> UsageError | None:
    """The error that names locard's own command, with the target that was given; None where none is known."""
    after = words[words.index(name) + 1 :]
    # Of several commands that a tool has, the first word says which.
    has = instead_of(f"{name} {after[0]}") if after else ""
    has = has or instead_of(name)
    if not has or words[0].startswith("-"):
        return None
    said = " ".join(after)
    pid, kind = _PID.search(said), _KIND.search(said)
    target = f"pid/{pid[1]}" if pid else without_password(kind[1]) if kind else _TARGET
    return UsageError(
        f"no command {name!r}",
        f"locard has its own for what {name} is used for: locard {has.format(target=_TARGET)}",
        f"Write: locard {has.format(target=target)}",
    )
