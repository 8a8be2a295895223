"""Reads numbers of control groups and of the host, again and again; beside the target, standard library only, Python 3.6.

Names are those of cAdvisor and node_exporter; `id` is the group's path below its mount. memory.high and
memory.events have no name there and get one of ours. What a file does not say gives no value.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    Labels = tuple[tuple[str, str], ...]
    Value = tuple[str, Labels, float]

MOUNTS = "/sys/fs/cgroup"
PROC = "/proc"
NO_LIMIT = 1 << 60  # version 1 says "none" with a number near 2**63
MOST_KEPT = 2048  # files that are kept open
_KEPT = []  # type: list[int]
PSI = (("some", "waiting"), ("full", "stalled"))
TICKS_S = float(os.sysconf("SC_CLK_TCK"))


class File:
    """A file that is read at every tick: kept open while there is room for that, else opened again."""

    def __init__(self, path: str) -> None:
        """Nothing is opened yet."""
        self.path, self.descriptor = path, -1

    def read(self, most: int = 65536) -> bytes:
        """Its text as it is now; raises OSError."""
        if self.descriptor >= 0:
            return os.pread(self.descriptor, most, 0)
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        if len(_KEPT) < most_kept():
            self.descriptor = descriptor
            _KEPT.append(descriptor)
            return os.pread(descriptor, most, 0)
        try:
            return os.pread(descriptor, most, 0)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """It is read no more."""
        if self.descriptor >= 0:
            _KEPT.remove(self.descriptor)
            os.close(self.descriptor)
            self.descriptor = -1


_ROOM = []  # type: list[int]


def most_kept() -> int:
    """How many files may stay open: what the own limit leaves, which is raised as far as it may be."""
    if not _ROOM:
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST_KEPT + 64
        if soft != resource.RLIM_INFINITY and soft < wanted:
            more = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
                soft = more
            except (OSError, ValueError):
                pass
        most = MOST_KEPT if soft == resource.RLIM_INFINITY else min(MOST_KEPT, soft - 64)
        _ROOM.append(most)
    return _ROOM[0]


def numbers(data: bytes) -> "dict[bytes, int]":
    """`name value` lines, with a colon or `kB` behind or without."""
    found = {}
    for line in data.splitlines():
        words = line.split(None, 2)
        if len(words) > 1 and words[1].isdigit():
            found[words[0].rstrip(b":")] = int(words[1])
    return found


def one(data: bytes) -> "int | None":
    """A number alone; None of `max` and `-1`."""
    word = data.strip()
    return int(word) if word.isdigit() else None


def stalls(data: bytes, name: str, labels: "Labels") -> "Iterator[Value]":
    """The totals of a pressure file, as `NAME_waiting_seconds_total` (some) and `…_stalled_…` (full)."""
    for line in data.decode("ascii", "replace").splitlines():
        kind, _, rest = line.partition(" ")
        total = rest.rpartition("total=")[2]
        for word, called in PSI:
            # Of a CPU not everyone can wait outside of groups: the kernel writes 0 there since 5.13.
            if kind == word and total.isdigit() and (name, word) != ("node_pressure_cpu", "full"):
                yield "%s_%s_seconds_total" % (name, called), labels, int(total) / 1e6


class Group:
    """One directory of a control group, of version 1 or 2: whatever files it has."""

    V2 = ("cpu.stat", "cpu.max", "memory.current", "memory.max", "memory.high", "memory.stat", "memory.events",
          "memory.swap.current", "io.stat", "pids.current", "pids.max", "cpu.pressure", "memory.pressure",
          "io.pressure")  # fmt: skip
    V1 = ("cpu.stat", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpuacct.usage", "memory.usage_in_bytes",
          "memory.limit_in_bytes", "memory.stat", "memory.oom_control", "memory.failcnt",
          "blkio.throttle.io_service_bytes", "blkio.throttle.io_serviced", "pids.current", "pids.max")  # fmt: skip

    def __init__(self, directory: str) -> None:
        """Looks which files there are; `files` stays empty where the group is the host's root."""
        self.directory = directory
        self.unified = os.path.exists(directory + "/cgroup.controllers")
        self.labels = (("id", group_id(directory)),)
        self.denied = {}  # type: dict[str, int]
        self.files = {}  # type: dict[str, File]
        if not is_root(directory, self.unified):
            for name in self.V2 if self.unified else self.V1:
                if os.path.exists(directory + "/" + name):
                    self.files[name] = File(directory + "/" + name)

    def sample(self) -> "list[Value]":
        """What the files say now; nothing of a group that was removed."""
        said = {}
        for name, file in list(self.files.items()):
            try:
                said[name] = file.read()
            except OSError as error:
                # ENODEV, ENOENT: the group is gone. EOPNOTSUPP: pressure is switched off.
                if error.errno in (1, 13):
                    self.denied[name] = error.errno
                file.close()
                del self.files[name]
        return list(self.of_v2(said) if self.unified else self.of_v1(said))

    def of_v2(self, said: "dict[str, bytes]") -> "Iterator[Value]":
        """Version 2."""
        words = said.get("cpu.max", b"").split()
        quota = int(words[0]) if len(words) == 2 and words[0].isdigit() else None
        yield from self.cpu(said, quota, int(words[1]) if quota else 0, b"throttled_usec", 1e-6)
        yield from self.memory(
            said, ("memory.current", "memory.max"), (b"anon", b"file", b"inactive_file")
        )
        for name, called in (
            ("memory.high", "container_memory_high_bytes"),
            ("memory.swap.current", "container_memory_swap"),
        ):
            value = one(said.get(name, b""))
            if value is not None:
                yield called, self.labels, value
        events = numbers(said.get("memory.events", b""))
        for event in (b"high", b"max", b"oom"):
            if event in events:
                labels = self.labels + (("event", event.decode()),)
                yield "container_memory_events_total", labels, events[event]
        if b"oom_kill" in events:
            yield "container_oom_events_total", self.labels, events[b"oom_kill"]
        for line in said.get("io.stat", b"").decode("ascii", "replace").splitlines():
            device, _, rest = line.partition(" ")
            pairs = dict(p.partition("=")[::2] for p in rest.split())
            for word, called in (("rbytes", "reads_bytes"), ("wbytes", "writes_bytes"), ("rios", "reads"), ("wios", "writes")):  # fmt: skip
                if pairs.get(word, "").isdigit():
                    labels = self.labels + (("device", device),)
                    yield "container_fs_%s_total" % called, labels, int(pairs[word])
        yield from self.tasks(said)
        for kind in ("cpu", "memory", "io"):
            yield from stalls(said.get(kind + ".pressure", b""), "container_pressure_" + kind, self.labels)  # fmt: skip

    def of_v1(self, said: "dict[str, bytes]") -> "Iterator[Value]":
        """Version 1: one directory has the files of one controller, or of a few."""
        quota, period = (one(said.get("cpu.cfs_%s_us" % n, b"")) for n in ("quota", "period"))
        yield from self.cpu(said, quota, period or 0, b"throttled_time", 1e-9)
        yield from self.memory(
            said,
            ("memory.usage_in_bytes", "memory.limit_in_bytes"),
            (b"total_rss", b"total_cache", b"total_inactive_file"),
        )
        kills = numbers(said.get("memory.oom_control", b"")).get(b"oom_kill")
        for value, called in (
            (one(said.get("memory.failcnt", b"")), "container_memory_failcnt"),
            (kills, "container_oom_events_total"),
        ):
            if value is not None:
                yield called, self.labels, value
        for name, ending in (("io_service_bytes", "_bytes"), ("io_serviced", "")):
            for line in said.get("blkio.throttle." + name, b"").decode("ascii", "replace").splitlines():  # fmt: skip
                words = line.split()
                if len(words) == 3 and words[1] in ("Read", "Write") and words[2].isdigit():
                    labels = self.labels + (("device", words[0]),)
                    called = "container_fs_%ss%s_total" % (words[1].lower(), ending)
                    yield called, labels, int(words[2])
        yield from self.tasks(said)

    def cpu(
        self,
        said: "dict[str, bytes]",
        quota: "int | None",
        period: int,
        stopped: bytes,
        scale: float,
    ) -> "Iterator[Value]":
        """What it used, its quota, and how often that held it back: periods count under a quota only."""
        stat = numbers(said.get("cpu.stat", b""))
        used = one(said.get("cpuacct.usage", b""))
        if used is not None:
            yield "container_cpu_usage_seconds_total", self.labels, used / 1e9
        elif b"usage_usec" in stat:
            yield "container_cpu_usage_seconds_total", self.labels, stat[b"usage_usec"] / 1e6
        if not quota or not period:
            return
        yield "container_spec_cpu_quota", self.labels, quota
        yield "container_spec_cpu_period", self.labels, period
        for word, called, factor in (
            (b"nr_periods", "periods", 1.0), (b"nr_throttled", "throttled_periods", 1.0),
            (stopped, "throttled_seconds", scale),
        ):  # fmt: skip
            if word in stat:
                yield "container_cpu_cfs_%s_total" % called, self.labels, stat[word] * factor

    def memory(
        self, said: "dict[str, bytes]", names: "tuple[str, str]", parts: "tuple[bytes, ...]"
    ) -> "Iterator[Value]":
        """What it holds, how much of that it needs (without file pages not used of late), and its limit."""
        usage, limit = (one(said.get(name, b"")) for name in names)
        stat = numbers(said.get("memory.stat", b""))
        anonymous, cache, idle = (stat.get(p) for p in parts)
        if usage is not None:
            yield "container_memory_usage_bytes", self.labels, usage
            if idle is not None:
                working = max(0, usage - idle)
                yield "container_memory_working_set_bytes", self.labels, working
        if limit is not None and limit < NO_LIMIT:
            yield "container_spec_memory_limit_bytes", self.labels, limit
        if anonymous is not None:
            yield "container_memory_rss", self.labels, anonymous
        if cache is not None:
            yield "container_memory_cache", self.labels, cache

    def tasks(self, said: "dict[str, bytes]") -> "Iterator[Value]":
        """How many tasks are in it, threads among them, and how many may be."""
        for name, called in (
            ("pids.current", "container_threads"),
            ("pids.max", "container_threads_max"),
        ):
            value = one(said.get(name, b""))
            if value is not None:
                yield called, self.labels, value


def group_id(directory: str) -> str:
    """The path of a group below its mount, `/` for the mount itself."""
    below = directory[len(MOUNTS) :] if (directory + "/").startswith(MOUNTS + "/") else directory
    if below == directory:
        return directory
    first, _, rest = below.lstrip("/").partition("/")
    alone = {"unified", "cpu", "cpuacct", "memory", "blkio", "pids"}
    return "/" + rest if set(first.split(",")) <= alone and first else below or "/"


def is_root(directory: str, unified: bool) -> bool:
    """Whether it is the root of a hierarchy, which is the whole host: that is told as the host's."""
    if unified:
        return not os.path.exists(directory + "/cgroup.events")
    return os.path.exists(directory + "/release_agent")


def with_relatives(directories: "list[str]", pids: "list[int]") -> "list[str]":
    """The directories, and those of cpuacct and blkio that processes are in where they have mounts of their own."""
    found = list(directories)
    for pid in pids:
        try:
            with open("%s/%d/cgroup" % (PROC, pid), errors="surrogateescape") as file:
                lines = file.read(65536).splitlines()
        except OSError:
            continue
        for line in lines:
            _, controllers, path = (line.split(":", 2) + ["", ""])[:3]
            for name in {"cpuacct", "blkio"} & set(controllers.split(",")):
                parts = [p for p in path.split("/") if p and p != ".."]
                for depth in range(len(parts), 0, -1):
                    directory = "/".join([MOUNTS, name] + parts[:depth])
                    found.append(directory)
    every = {}  # type: dict[str, str]
    for directory in found:  # links of systemd lead to the same directory
        if os.path.isdir(directory) and "\n" not in directory:
            every.setdefault(os.path.realpath(directory), directory)
    return list(every.values())


class Host:
    """The machine, or what of it is seen from here."""

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self.files = {}  # type: dict[str, File]
        names = [
            "stat",
            "loadavg",
            "meminfo",
            "pressure/cpu",
            "pressure/memory",
            "pressure/io",
            "vmstat",
        ]
        for name in names:
            if os.path.exists(PROC + "/" + name):
                self.files[name] = File(PROC + "/" + name)

    def sample(self) -> "list[Value]":
        """What the files say now."""
        said = {}
        for name, file in list(self.files.items()):
            try:
                # The first line of stat is of all CPUs together; further ones are not needed.
                said[name] = file.read(512 if name == "stat" else 65536)
            except OSError:
                file.close()
                del self.files[name]
        return list(self.values(said))

    def values(self, said: "dict[str, bytes]") -> "Iterator[Value]":
        """CPU by what it is spent on (of all CPUs together), load, memory, pressure."""
        words = said.get("stat", b"").split(b"\n")[0].split()[1:]
        modes = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
        for mode, word in zip(modes, words):
            yield "node_cpu_seconds_total", (("mode", mode),), int(word) / TICKS_S
        load = said.get("loadavg", b"").split()
        if load:
            yield "node_load1", (), float(load[0])
        memory = numbers(said.get("meminfo", b""))
        for name in (b"MemAvailable", b"MemTotal"):
            if name in memory:
                yield "node_memory_%s_bytes" % name.decode(), (), memory[name] * 1024
        kills = numbers(said.get("vmstat", b"")).get(b"oom_kill")
        if kills is not None:
            yield "node_vmstat_oom_kill", (), kills
        for kind in ("cpu", "memory", "io"):
            yield from stalls(said.get("pressure/" + kind, b""), "node_pressure_" + kind, ())
