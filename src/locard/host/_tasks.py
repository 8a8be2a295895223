"""Counts the threads of the users that some processes run as, against their limits.

This file travels: its source goes to the target's python3 (3.6 or later) on standard input, it uses
the standard library only and leaves nothing. Arguments: pids. One JSON object per line:

    {"pid", "uid", "threads", "limit"}   a process and its soft RLIMIT_NPROC, null for none
    {"uid", "tasks"}                     all threads of that user on this host
"""

import json
import os
import re
import sys


def slurp(path: str) -> str:
    """The text of a /proc file; empty where it cannot be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - no Path per file: thousands are read
            return file.read(65536).decode("utf-8", "replace")
    except OSError:
        return ""


def number(pattern: str, text: str) -> "int | None":
    """The number that a pattern finds, or None."""
    found = re.search(pattern, text, re.MULTILINE)
    return int(found.group(1)) if found else None


def main(argv: "list[str]") -> int:
    """Print the processes, then their users."""
    users: set[int] = set()
    for pid in argv:
        status = slurp(f"/proc/{pid}/status")
        uid = number(r"^Uid:\s+(\d+)", status)
        if uid is None:
            continue
        users.add(uid)
        limit = number(r"^Max processes\s+(\d+)", slurp(f"/proc/{pid}/limits"))
        threads = number(r"^Threads:\s+(\d+)", status)
        out = {"pid": int(pid), "uid": uid, "threads": threads, "limit": limit}
        sys.stdout.write(json.dumps(out) + "\n")
    counts = dict.fromkeys(users, 0)
    for name in os.listdir("/proc"):  # noqa: PTH208 - as above
        if name.isdigit():
            status = slurp(f"/proc/{name}/status")
            uid = number(r"^Uid:\s+(\d+)", status)
            if uid in counts:
                counts[uid] += number(r"^Threads:\s+(\d+)", status) or 0
    for uid, tasks in sorted(counts.items()):
        sys.stdout.write(json.dumps({"uid": uid, "tasks": tasks}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
