"""How often the target's cgroups were stopped by their CPU limit meanwhile, beside the target.

{"throttled": 12, "seconds": 0.8, "periods": 50, "cgroup": "/case", "own": true}

`own`: no other process than the target's is in the cgroup, so that what was throttled is the target's.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, emit
    from locard.far.processes import family


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


def throttled_in(path: str) -> "tuple[int, float, int]":
    """How often, for how many seconds and in how many periods, by a cpu.stat of either version."""
    times, seconds, periods = 0, 0.0, 0
    with open(path) as file:
        for line in file:
            name, _, value = line.partition(" ")
            if name == "nr_periods":
                periods = int(value)
            elif name == "nr_throttled":
                times = int(value)
            elif name == "throttled_time":
                seconds = int(value) / 1e9
            elif name == "throttled_usec":
                seconds = int(value) / 1e6
    return times, seconds, periods


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


def has_others(folder: str, own: "set[int]") -> bool:
    """Whether other processes are in a cgroup or below it; True where that cannot be told."""
    try:
        for at, _, files in os.walk(folder):
            if "cgroup.procs" in files:
                with open(os.path.join(at, "cgroup.procs")) as file:
                    if not {int(line) for line in file} <= own:
                        return True
    except (OSError, ValueError):
        return True
    return False


def tell_throttled(observation: "Observation") -> None:
    """What was added since."""
    own = set(family(observation.pids))
    for path, (group, (times, seconds, periods)) in sorted(throttles.items()):
        try:
            now, later, passed = throttled_in(path)
        except (OSError, ValueError):
            continue
        if now > times:
            emit(
                {
                    "throttled": now - times,
                    "seconds": later - seconds,
                    "periods": passed - periods,
                    "cgroup": group,
                    "own": not has_others(os.path.dirname(path), own),
                }
            )


throttles = {}  # type: dict[str, tuple[str, tuple[int, float, int]]]
ATTACH = look_at_limits
EXTRA = tell_throttled
