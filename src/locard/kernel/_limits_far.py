"""Limits of the target's cgroups on its I/O, beside the target: behind `_devices_far.py`.

{"limit": "write_iops", "value": 15, "of": "7:0", "cgroup": "/case"}
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, emit

KINDS = ("read_bps", "write_bps", "read_iops", "write_iops")
V2 = {"rbps": "read_bps", "wbps": "write_bps", "riops": "read_iops", "wiops": "write_iops"}


def mounts() -> "tuple[str, str]":
    """Where the blkio hierarchy of v1 and that of v2 are mounted; empty where they are not."""
    first, second = "", ""
    with open("/proc/self/mountinfo", errors="backslashreplace") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            kind, options = right.split()[0], right.split()[-1].split(",")
            if kind == "cgroup" and "blkio" in options:
                first = first or left.split()[4]
            elif kind == "cgroup2":
                second = second or left.split()[4]
    return first, second


def lines_of(path: str) -> "list[list[str]]":
    """The words of each line; none where there is no such file."""
    try:
        with open(path, errors="backslashreplace") as file:
            return [line.split() for line in file]
    except OSError:
        return []


def limits_of(root: str, group: str, is_v2: bool) -> None:
    """Print the limits of a cgroup and of those above it."""
    while True:
        folder = root + group.rstrip("/")
        if is_v2:
            for words in lines_of(folder + "/io.max"):
                for word in words[1:]:
                    name, _, value = word.partition("=")
                    if name in V2 and value.isdigit():
                        emit(
                            {
                                "limit": V2[name],
                                "value": int(value),
                                "of": words[0],
                                "cgroup": group,
                            }
                        )
        else:
            for kind in KINDS:
                for words in lines_of(folder + "/blkio.throttle." + kind + "_device"):
                    if len(words) == 2 and words[1].isdigit():
                        emit(
                            {"limit": kind, "value": int(words[1]), "of": words[0], "cgroup": group}
                        )
        if group in ("", "/"):
            return
        group = os.path.dirname(group)


def look_for_limits(observation: "Observation") -> None:
    """While the target lives: when it has ended, its cgroup cannot be told."""
    try:
        first, second = mounts()
    except (OSError, IndexError):
        return
    seen = set()
    for pid in observation.pids:
        for words in lines_of("/proc/%d/cgroup" % pid):
            number, names, group = (" ".join(words).split(":", 2) + ["", ""])[:3]
            if first and "blkio" in names.split(","):
                seen.add((first, group, False))
            elif second and number == "0" and not names:
                seen.add((second, group, True))
    for root, group, is_v2 in sorted(seen):
        limits_of(root, group, is_v2)


def choose_events(observation: "Observation") -> None:
    """Leave out what this kernel has no event for (block_io_start came with 6.5): it would not load."""
    try:
        with open("/sys/kernel/btf/vmlinux", "rb") as file:
            known = b"btf_trace_block_io_start\0" in file.read()
    except OSError:
        known = True  # loading tells
    if not known:
        observation.obj.leave_out("accounted")
        observation.settings["optional"] = []
        observation.missing["accounted"] = (
            "this kernel has no block_io_start: who queues counts as sender"
        )


SETUP = choose_events
ATTACH = look_for_limits
