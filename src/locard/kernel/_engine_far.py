"""Looks at processes before and after a tool traces them; beside the target, Python 3.6, standard library only.

Arguments: for how long the tool is to run (for who reads the record), pids.

  {"process": pid, "comm", "state", "tracer": pid or 0, "by": its name, "threads": [tid], "inner": pid inside}
  {"gone": pid}
  {"machine", "kernel", "pids": whether the machine's own numbers are seen here}
"""

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_THREADS = 4096
INITIAL = "pid:[4026531836]"  # of the first pid namespace: linux/proc_ns.h


def emit(row: "dict[str, Any]") -> None:
    """One line of output."""
    sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")


def status(pid: int, tid: int) -> "dict[str, str]":
    """The fields of a thread's status; raises OSError."""
    with open("/proc/%d/task/%d/status" % (pid, tid), errors="backslashreplace") as file:
        pairs = (line.partition(":") for line in file)
        return {name: value.strip() for name, _, value in pairs}


def comm(pid: int) -> str:
    """A process's name; empty where it has none to tell."""
    try:
        with open("/proc/%d/comm" % pid, errors="backslashreplace") as file:
            return file.read().rstrip("\n")
    except OSError:
        return ""


def look(pid: int) -> "dict[str, Any]":
    """One process."""
    try:
        tids = sorted(int(t) for t in os.listdir("/proc/%d/task" % pid))[:MOST_THREADS]
        first = status(pid, pid)
    except (OSError, KeyError):
        return {"gone": pid}
    if first.get("State", "X")[:1] in "ZX" and len(tids) <= 1:
        return {"gone": pid}
    tracer = 0
    for tid in tids:
        try:
            tracer = tracer or int(status(pid, tid).get("TracerPid", "0"))
        except (OSError, ValueError):
            continue
    return {
        "process": pid, "comm": first.get("Name", ""), "state": first.get("State", "")[:1], "tracer": tracer,
        "by": comm(tracer) if tracer else "", "threads": tids, "inner": int(first.get("NSpid", str(pid)).split()[-1]),
    }  # fmt: skip


def main(argv: "list[str]") -> int:
    """Exit 0 always: what is gone is said."""
    for word in argv[2:]:
        emit(look(int(word)))
    try:
        own = os.readlink("/proc/self/ns/pid") == INITIAL
    except OSError:
        own = True
    emit({"machine": os.uname().machine, "kernel": os.uname().release, "pids": own})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
