"""Prints the processes of the machine or container that it runs in, as one JSON document.

This file travels: its source is given to the python3 beside the target (3.6 or later) on standard
input, so it uses the standard library only and leaves nothing behind. Arguments: none for all
processes, or PID:START_TICKS of roots, for their trees alone while they live (else all again).

    {"boot": btime, "ticks_per_s", "node", "time", "own": [its pid and its ancestors'], "whole",
     "cgroups": [text of /proc/PID/cgroup, each once], "ended": [zombies], "cut": what was left out,
     "processes": [{"pid", "ppid", "start_ticks", "uid", "comm", "cmdline": [...], "threads",
                    "state", "cgroup": place in "cgroups", "net", "pid_ns": inodes, where readable}]}

or {"error": why} where there is no procfs to read.
"""

import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Row = dict[str, Any]
    Found = dict[int, tuple[Row, int]]

MOST_CMDLINE = 4096  # bytes of one command line
MOST_CMDLINES = 4 << 20  # bytes of all of them
MOST_CGROUPS = 1 << 20  # bytes of all different ones
MOST_PROCESSES = 50000
LOOKS = 5  # at a table in which a parent is missing
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD in the flags of /proc/PID/stat


def read(path: str, most: int) -> bytes:
    """The first bytes of a file of /proc; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, most)
    finally:
        os.close(descriptor)


def boot_time(proc: str) -> int:
    """Unix time at which the machine started, in seconds; 0 where it is not said."""
    with open(proc + "/stat", "rb") as file:
        for line in file:
            if line.startswith(b"btime "):
                return int(line.split()[1])
    return 0


def stat_row(proc: str, name: str, ended: "list[int]") -> "tuple[Row, int] | None":
    """What /proc/PID/stat says of one process, and its flags; None where it has ended or is hidden."""
    try:
        data = read(proc + "/" + name + "/stat", 4096)
    except OSError:
        return None
    # The name stands in parentheses and may hold any character, parentheses too.
    start, end = data.find(b"("), data.rfind(b")")
    fields = data[end + 1 :].split()
    try:
        threads, state = int(fields[17]), fields[0].decode("ascii", "replace")
        if state in ("Z", "X") and threads <= 1:
            ended.append(int(name))
            return None  # a main thread that has ended leaves the others at work
        row = {
            "pid": int(name),
            "ppid": int(fields[1]),
            "start_ticks": int(fields[19]),
            "comm": data[start + 1 : end].decode("utf-8", "replace"),
            "threads": threads,
            "state": state,
        }
        return row, int(fields[6])
    except (IndexError, ValueError):
        return None


def snapshot(proc: str) -> "tuple[Found, list[int]]":
    """One look: {pid: (row, flags)} and the zombies."""
    found: "Found" = {}
    ended: "list[int]" = []
    for name in os.listdir(proc):
        if name.isdigit():
            row = stat_row(proc, name, ended)
            if row is not None:
                found[row[0]["pid"]] = row
    return found, ended


def whole_snapshot(proc: str) -> "tuple[Found, list[int]]":
    """A look that is not torn: one in which a parent is missing is taken again, a few times.

    Where the same parents are missing twice, they are hidden and stay so.
    """
    before: "set[int] | None" = None
    found: "Found" = {}
    ended: "list[int]" = []
    for _ in range(LOOKS):
        found, ended = snapshot(proc)
        missing = {r["ppid"] for r, _ in found.values() if r["ppid"] and r["ppid"] not in found}
        if not missing or missing == before:
            break
        before = missing
    return found, ended


def namespace(path: str) -> "int | None":
    """The inode of a namespace, None where it may not be seen."""
    try:
        return int(os.readlink(path).rpartition("[")[2][:-1])
    except (OSError, ValueError):
        return None


class Details:
    """What is read of each process beside its stat, within bounds over all of them."""

    def __init__(self, proc: str) -> None:
        """Nothing is read yet."""
        self.proc = proc
        self.cgroups: "dict[bytes, int]" = {}
        self.cgroup_bytes = 0
        self.cmdline_bytes = 0
        self.cut_lines = 0
        self.no_lines = 0
        self.no_cgroups = 0

    def add(self, row: "Row", flags: int) -> bool:
        """Fill the row in; False where the process has ended meanwhile."""
        base = f"{self.proc}/{row['pid']}"
        try:
            row["uid"] = os.stat(base).st_uid
            row["cmdline"] = [] if flags & _KERNEL_THREAD else self.cmdline(base)
        except OSError:
            return False
        if not flags & _KERNEL_THREAD:
            row["cgroup"] = self.cgroup(base)
            row["net"] = namespace(base + "/ns/net")
            row["pid_ns"] = namespace(base + "/ns/pid")
        return True

    def cmdline(self, base: str) -> "list[str]":
        """The arguments, without those beyond the bound."""
        if self.cmdline_bytes >= MOST_CMDLINES:
            self.no_lines += 1
            return []
        data = read(base + "/cmdline", MOST_CMDLINE + 1)
        if len(data) > MOST_CMDLINE:
            self.cut_lines += 1
            data = data[:MOST_CMDLINE]
        self.cmdline_bytes += len(data)
        return [a.decode("utf-8", "replace") for a in data.rstrip(b"\0").split(b"\0") if a]

    def cgroup(self, base: str) -> "int | None":
        """The place of its control groups among the different ones; None where it is not known."""
        try:
            data = read(base + "/cgroup", 1 << 16)
        except OSError:
            return None
        place = self.cgroups.get(data)
        if place is None:
            if self.cgroup_bytes + len(data) > MOST_CGROUPS:
                self.no_cgroups += 1
                return None
            self.cgroup_bytes += len(data)
            place = self.cgroups[data] = len(self.cgroups)
        return place

    def cut(self, more: int) -> str:
        """What was left out, in words; empty where nothing was."""
        said = [
            (more, "%d processes are not in the table"),
            (self.cut_lines, f"%d command lines were cut after {MOST_CMDLINE} bytes"),
            (self.no_lines, "%d command lines were not read"),
            (self.no_cgroups, "%d control groups were not read"),
        ]
        return "; ".join(words % count for count, words in said if count)


def trees(found: "Found", roots: "Sequence[tuple[int, int]]") -> "set[int] | None":
    """The pids of the trees of the roots (pid, start ticks); None where one has ended."""
    children: "dict[int, list[int]]" = {}
    for pid, (row, _) in found.items():
        children.setdefault(row["ppid"], []).append(pid)
    wanted: "set[int]" = set()
    todo: "list[int]" = []
    for pid, ticks in roots:
        if pid not in found or found[pid][0]["start_ticks"] != ticks:
            return None
        todo.append(pid)
    while todo:
        pid = todo.pop()
        if pid not in wanted:
            wanted.add(pid)
            todo.extend(children.get(pid, ()))
    return wanted


def own_line(found: "Found", pid: int) -> "list[int]":
    """This process and its ancestors: the shell that names the target is not the target."""
    own: "list[int]" = []
    while pid in found and pid not in own:
        own.append(pid)
        pid = found[pid][0]["ppid"]
    return own


def table(proc: str, roots: "Sequence[tuple[int, int]]" = ()) -> "dict[str, Any]":
    """The document."""
    boot = boot_time(proc)
    found, ended = whole_snapshot(proc)
    wanted = trees(found, roots) if roots else None
    details = Details(proc)
    rows = []
    pids = sorted(found if wanted is None else wanted)
    for pid in pids[:MOST_PROCESSES]:
        row, flags = found[pid]
        if details.add(row, flags):
            rows.append(row)
    return {
        "boot": boot,
        "ticks_per_s": os.sysconf("SC_CLK_TCK"),
        "node": os.uname()[1],
        "time": time.time(),
        "own": own_line(found, os.getpid()),
        "whole": wanted is None,
        "cgroups": [data.decode("utf-8", "replace") for data in details.cgroups],
        "ended": ended[:MOST_PROCESSES],
        "cut": details.cut(max(0, len(pids) - MOST_PROCESSES)),
        "processes": rows,
    }


def main(words: "list[str]") -> int:
    """Print the table; exit code 1 where there is none."""
    roots = []
    for word in words:
        pid, _, ticks = word.partition(":")
        roots.append((int(pid), int(ticks)))
    try:
        found = table("/proc", roots)
    except OSError as error:
        found = {"error": str(error)}
    sys.stdout.write(json.dumps(found, separators=(",", ":")) + "\n")
    sys.stdout.flush()
    return 1 if "error" in found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
