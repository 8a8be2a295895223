"""What the target's memory cgroups counted meanwhile, beside the target.

{"memory": "oom_kill", "more": 1, "cgroup": "/case", "limit": bytes or null}
{"machine": "oom_kill", "more": 1}     of /proc/vmstat
{"page": 4096}
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, emit
    from locard.far.processes import family

COUNTS = ("low", "high", "max", "oom", "oom_kill", "oom_group_kill", "failcnt")


def memory_mounts() -> "tuple[str, str]":
    """Where the memory hierarchy of v1 and that of v2 are mounted; empty where they are not."""
    first, second = "", ""
    with open("/proc/self/mountinfo", errors="backslashreplace") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            kind, options = right.split()[0], right.split()[-1].split(",")
            if kind == "cgroup" and "memory" in options:
                first = first or left.split()[4]
            elif kind == "cgroup2":
                second = second or left.split()[4]
    return first, second


def numbers_of(path: str) -> "dict[str, int]":
    """The named numbers of a file; a number alone has its file's last word as name. Nothing where there is none."""
    found = {}
    try:
        with open(path) as file:
            for line in file:
                words = line.split()
                if len(words) == 2 and words[1].isdigit():
                    found[words[0]] = int(words[1])
                elif len(words) == 1 and words[0].isdigit():
                    found[path.rpartition(".")[2]] = int(words[0])
    except OSError:
        pass
    return found


def counts_of(folder: str, is_v2: bool) -> "dict[str, int]":
    """What a memory cgroup has counted."""
    if is_v2:
        return numbers_of(folder + "/memory.events")
    found = numbers_of(folder + "/memory.oom_control")
    found.update(numbers_of(folder + "/memory.failcnt"))
    return found


def look_at_memory(observation: "Observation") -> None:
    """The state at the beginning, of the cgroups of the target and of those above."""
    groups.clear()
    groups["/proc/vmstat"] = ("", False, numbers_of("/proc/vmstat"))
    try:
        first, second = memory_mounts()
    except (OSError, IndexError):
        return
    for pid in family(observation.pids):
        try:
            with open("/proc/%d/cgroup" % pid, errors="backslashreplace") as file:
                lines = [line.rstrip("\n").split(":", 2) for line in file]
        except OSError:
            continue
        for number, names, own in [w for w in lines if len(w) == 3]:
            is_v2 = number == "0" and not names
            root = first if "memory" in names.split(",") else second if is_v2 else ""
            group = own
            while root and group not in ("", "/"):
                groups[root + group] = (group, is_v2, counts_of(root + group, is_v2))
                group = os.path.dirname(group)


def tell_memory(_observation: "Observation") -> None:
    """What was added since."""
    emit({"page": os.sysconf("SC_PAGE_SIZE")})
    for folder, (group, is_v2, before) in sorted(groups.items()):
        if not group:
            more = numbers_of(folder).get("oom_kill", 0) - before.get("oom_kill", 0)
            if more > 0:
                emit({"machine": "oom_kill", "more": more})
            continue
        now = counts_of(folder, is_v2)
        limit = numbers_of(folder + ("/memory.max" if is_v2 else "/memory.limit_in_bytes"))
        for name in COUNTS:
            more = now.get(name, 0) - before.get(name, 0)
            if more > 0:
                emit(
                    {
                        "memory": name,
                        "more": more,
                        "cgroup": group,
                        "limit": next(iter(limit.values()), None),
                    }
                )


groups = {}  # type: dict[str, tuple[str, bool, dict[str, int]]]
ATTACH = look_at_memory
EXTRA = tell_memory
