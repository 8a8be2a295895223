"""Tries which kinds of eBPF programs the kernel takes, by loading and attaching each; prints one JSON document.

Stands behind `far/ebpf.py` in one namespace. Everything is attached to this process or for an instant, and
detached again.

  {"kinds": {kind: why not, empty: works}, "numbers": {kind: errno}, "spoils": ..., "facts": {...}, see ebpf.py}
"""

import errno
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from locard.far.ebpf import (
        PARTS,
        Object,
        Refused,
        inside_spoils,
        library,
        surroundings,
        why_not,
    )

KINDS = ("typed_tracepoint", "raw_tracepoint", "tracepoint", "iterator", "kprobe", "fentry",
         "function_entry", "function_entries", "clock")  # fmt: skip


def own_function(c: "Any") -> "tuple[str, int]":
    """A function of the C library that is mapped here: its file and its offset in it."""
    import ctypes

    address = ctypes.cast(c.far_version, ctypes.c_void_p).value or 0
    with open("/proc/self/maps") as file:
        for line in file:
            words = line.split(None, 5)
            start, end = (int(w, 16) for w in words[0].split("-"))
            if start <= address < end:
                return "/proc/self/fd/%d" % PARTS["library"], address - start + int(words[2], 16)
    raise Refused("finding a function of its own", errno.ENOENT)


def try_kind(kind: str) -> "tuple[str, int]":
    """Why one kind of program is not taken, and the errno; empty where it is."""
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
        return "%s%s" % (refused, ": " + said if said else ""), refused.number
    except OSError as error:
        return str(error), error.errno or 0
    return "", 0


def try_all() -> int:
    """Exit 0 always: what does not work is the answer."""
    found = {"facts": surroundings()}  # type: dict[str, Any]
    try:
        c = library()
    except (Refused, OSError) as error:
        found.update(kinds={kind: str(error) for kind in KINDS}, numbers={}, spoils=str(error))
    else:
        tried = {kind: try_kind(kind) for kind in KINDS}
        found["kinds"] = {kind: why for kind, (why, _) in tried.items()}
        found["numbers"] = {kind: number for kind, (_, number) in tried.items() if number}
        found["spoils"] = inside_spoils(c)
        found["facts"]["libbpf"] = c.far_version().decode()
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(try_all())
