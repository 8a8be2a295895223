"""Tries which kinds of eBPF programs the kernel takes, by loading and attaching each; prints one JSON document.

Stands behind `far/ebpf.py` in one namespace. Everything is attached to this process or for an instant, and
detached again.

  {"kinds": {kind: why not, empty: works}, "spoils": ..., "facts": {"btf", "lockdown", "tracefs", "seccomp",
   "capabilities", "unprivileged_bpf_disabled", "perf_event_paranoid", "libbpf", "kernel"}}
"""

import errno
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.ebpf import Object, Refused, inside_spoils, library, why_not

KINDS = ("typed_tracepoint", "raw_tracepoint", "tracepoint", "iterator", "kprobe", "fentry",
         "function_entry", "function_entries", "clock")  # fmt: skip


def words_of(path: str) -> str:
    """The text of a file of the kernel; empty where there is none."""
    try:
        with open(path, errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return ""


def own_function(c: "Any") -> "tuple[str, int]":
    """A function of the C library that is mapped here: its file and its offset in it."""
    import ctypes

    address = ctypes.cast(c.far_version, ctypes.c_void_p).value or 0
    with open("/proc/self/maps") as file:
        for line in file:
            words = line.split(None, 5)
            start, end = (int(w, 16) for w in words[0].split("-"))
            if start <= address < end:
                return "/proc/self/map_files/%x-%x" % (start, end), address - start + int(
                    words[2], 16
                )
    raise Refused("finding a function of its own", errno.ENOENT)


def try_kind(kind: str) -> str:
    """Why one kind of program is not taken; empty where it is."""
    try:
        obj = Object("object")
        for other in KINDS:
            if other != kind:
                obj.leave_out(other)
        obj.load()
        if kind == "iterator":
            obj.iterate(kind, "", os.getpid())
        elif kind == "clock":
            obj.attach_clock(kind, os.getpid(), 10)
        elif kind.startswith("function"):
            path, offset = own_function(obj.c)
            obj.attach_sites(kind, os.getpid(), path, [(offset, 1)])
        else:
            obj.attach(kind)
        obj.detach()
    except Refused as refused:
        said = why_not(refused)
        return "%s%s" % (refused, ": " + said if said else "")
    except OSError as error:
        return str(error)
    return ""


def facts(version: str) -> "dict[str, str]":
    """What explains a refusal."""
    status = dict(
        line.split(":", 1) for line in words_of("/proc/self/status").splitlines() if ":" in line
    )
    lockdown = words_of("/sys/kernel/security/lockdown")
    return {
        "btf": "yes" if os.path.exists("/sys/kernel/btf/vmlinux") else "",
        "lockdown": lockdown.partition("[")[2].partition("]")[0],
        "tracefs": "yes" if os.path.isdir("/sys/kernel/tracing/events") else "",
        "seccomp": status.get("Seccomp", "").strip(),
        "capabilities": status.get("CapEff", "").strip(),
        "unprivileged_bpf_disabled": words_of("/proc/sys/kernel/unprivileged_bpf_disabled"),
        "perf_event_paranoid": words_of("/proc/sys/kernel/perf_event_paranoid"),
        "libbpf": version,
        "kernel": os.uname().release,
    }


def try_all() -> int:
    """Exit 0 always: what does not work is the answer."""
    try:
        c = library()
    except (Refused, OSError) as error:
        found = {
            "kinds": {kind: str(error) for kind in KINDS},
            "spoils": str(error),
            "facts": facts(""),
        }
    else:
        kinds = {kind: try_kind(kind) for kind in KINDS}
        found = {
            "kinds": kinds,
            "spoils": inside_spoils(c),
            "facts": facts(c.far_version().decode()),
        }
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(try_all())
