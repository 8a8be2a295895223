"""How often the target's cgroups were stopped by their CPU limit meanwhile, beside the target.

{"throttled": 12, "seconds": 0.8, "cgroup": "/case"}
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, emit


def cpu_mounts() -> "tuple[str, str]":
    """Where the cpu hierarchy of v1 and that of v2 are mounted; empty where they are not."""
    first, second = "", ""
    with open("/proc/self/mountinfo", errors="backslashreplace") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            kind, options = right.split()[0], right.split()[-1].split(",")
            if kind == "cgroup" and "cpu" in options:
                first = first or left.split()[4]
            elif kind == "cgroup2":
                second = second or left.split()[4]
    return first, second


def throttled_in(path: str) -> "tuple[int, float]":
    """How often and for how many seconds, by a cpu.stat of either version."""
    times, seconds = 0, 0.0
    with open(path) as file:
        for line in file:
            name, _, value = line.partition(" ")
            if name == "nr_throttled":
                times = int(value)
            elif name == "throttled_time":
                seconds = int(value) / 1e9
            elif name == "throttled_usec":
                seconds = int(value) / 1e6
    return times, seconds


def look_at_limits(observation: "Observation") -> None:
    """The state at the beginning, of the cgroups of the target and of those above."""
    throttles.clear()
    try:
        first, second = cpu_mounts()
    except (OSError, IndexError):
        return
    for pid in observation.pids:
        try:
            with open("/proc/%d/cgroup" % pid, errors="backslashreplace") as file:
                lines = [line.rstrip("\n").split(":", 2) for line in file]
        except OSError:
            continue
        for number, names, own in [w for w in lines if len(w) == 3]:
            root = first if "cpu" in names.split(",") else second if number == "0" else ""
            group = own
            while root and group not in ("", "/"):
                path = root + group + "/cpu.stat"
                try:
                    throttles[path] = (group, throttled_in(path))
                except (OSError, ValueError):
                    pass
                group = os.path.dirname(group)


def tell_throttled(_observation: "Observation") -> None:
    """What was added since."""
    for path, (group, (times, seconds)) in sorted(throttles.items()):
        try:
            now, later = throttled_in(path)
        except (OSError, ValueError):
            continue
        if now > times:
            emit({"throttled": now - times, "seconds": later - seconds, "cgroup": group})


throttles = {}  # type: dict[str, tuple[str, tuple[int, float]]]
ATTACH = look_at_limits
EXTRA = tell_throttled
