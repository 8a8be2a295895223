"""Reads the numbers of one process again and again, and keeps numbers over time; beside the target, standard library only, Python 3.6.

Travels between cgroup_metrics.py and process_metrics.py. Names are those of the client libraries of Prometheus;
what they have no name for gets one of ours.
"""

import array
import math
import os
import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.cgroup_metrics import PROC, TICKS_S, File, Labels, Value
    from locard.far.metric_lines import tell_series

MOST_THREADS = 64  # of one process whose waits for a CPU are read one by one
MEMORY = (
    (b"\nVmRSS:", "process_resident_memory_bytes"),
    (b"\nRssAnon:", "process_resident_memory_anonymous_bytes"),
    (b"\nRssFile:", "process_resident_memory_file_bytes"),
    (b"\nRssShmem:", "process_resident_memory_shared_bytes"),
)
SWITCHES = (
    (b"\nvoluntary_ctxt_switches:", (("thread", "first"), ("type", "voluntary"))),
    (b"\nnonvoluntary_ctxt_switches:", (("thread", "first"), ("type", "nonvoluntary"))),
)  # type: tuple[tuple[bytes, Labels], ...]
IO = (
    (b"\nread_bytes:", "process_io_storage_read_bytes_total"),
    (b"\nwrite_bytes:", "process_io_storage_written_bytes_total"),
    (b"\nrchar:", "process_io_read_bytes_total"),
    (b"\nwchar:", "process_io_written_bytes_total"),
    (b"\nsyscr:", "process_io_read_syscalls_total"),
    (b"\nsyscw:", "process_io_write_syscalls_total"),
)


class Recorded:
    """The values of one thing over time: one list of times, and one of values for each name."""

    def __init__(self) -> None:
        """Nothing is recorded yet."""
        self.times = array.array("q")
        self.values = {}  # type: dict[tuple[str, Labels], array.array[float]]

    def take(self, at_ms: int, values: "list[Value]") -> int:
        """One look; how many values it has."""
        missing = len(self.times)
        self.times.append(at_ms)
        for name, labels, value in values:
            held = self.values.get((name, labels))
            if held is None:
                held = self.values[name, labels] = array.array("d", [math.nan]) * missing
            if len(held) == missing:  # a name that is told twice keeps its first value
                held.append(value)
        for held in self.values.values():
            if len(held) == missing:
                held.append(math.nan)
        return len(values)

    def tell(self, own: "Labels", slack_s: float) -> None:
        """Print the series, each from its first value to its last."""
        for (name, labels), held in self.values.items():
            known = [(t, v) for t, v in zip(self.times, held) if not math.isnan(v)]
            if known:
                named = dict(own + labels, __name__=name)
                tell_series(named, [t / 1000.0 for t, _ in known], [v for _, v in known], slack_s)


class Sampled:
    """One process: its files are opened once, so that a later process of its pid is never read."""

    def __init__(self, pid: int) -> None:
        """Raises OSError or ValueError where there is none, or only what is left of one."""
        self.pid = pid
        base = "%s/%d/" % (PROC, pid)
        self.base = base
        self.files = {n: File(base + n) for n in ("stat", "status", "io", "schedstat")}
        comm, fields = stat_of(self.files["stat"].read(4096))
        self.comm, self.start = comm, int(fields[19])
        if fields[0] in (b"Z", b"X"):
            self.close()
            raise ValueError("it has ended")
        self.recorded = Recorded()
        self.began = self.ended = None  # type: float | None
        self.waits = {}  # type: dict[str, int]
        self.waited = 0
        self.denied = {}  # type: dict[str, str]

    def close(self) -> None:
        """It is read no more."""
        for file in self.files.values():
            file.close()

    def sample(self) -> "list[Value] | None":
        """What it is now; None once it has ended."""
        try:
            comm, fields = stat_of(self.files["stat"].read(4096))
        except (OSError, ValueError):
            return None
        if fields[0] in (b"Z", b"X") or int(fields[19]) != self.start:
            return None
        self.comm = comm
        found = [
            ("process_cpu_seconds_total", (), (int(fields[11]) + int(fields[12])) / TICKS_S),
            ("process_threads", (), int(fields[17])),
            ("process_minor_page_faults_total", (), int(fields[7])),
            ("process_major_page_faults_total", (), int(fields[9])),
        ]  # type: list[Value]
        for what, part in (("memory", self.memory), ("fds", self.fds), ("io", self.io)):
            if what in self.denied:
                continue
            try:
                found += part()
            except OSError as error:
                if error.errno in (2, 3):
                    return None  # it ended meanwhile
                self.denied[what] = error.strerror or "it cannot be read"
        found += self.run_queue(int(fields[17]))
        return found

    def memory(self) -> "list[Value]":
        """Resident memory, what of it is its own and what is of files, and switches of its first thread."""
        said = self.files["status"].read()
        found = []  # type: list[Value]
        for word, called in MEMORY:
            value = after(said, word)
            if value is not None:
                found.append((called, (), value * 1024))
        for word, labels in SWITCHES:
            value = after(said, word)
            if value is not None:
                found.append(("process_context_switches_total", labels, value))
        return found

    def fds(self) -> "list[Value]":
        """Open files, and how many may be: its soft limit."""
        folder = self.base + "fd"
        # Since Linux 6.2 the folder says how many it has.
        count = os.stat(folder).st_size or len(os.listdir(folder))
        found = [("process_open_fds", (), count)]  # type: list[Value]
        try:
            soft = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)[0]  # type: int | None
        except PermissionError:
            soft = self.soft_limit()
        if soft not in (None, resource.RLIM_INFINITY):
            found.append(("process_max_fds", (), soft or 0))
        return found

    def soft_limit(self) -> "int | None":
        """The same of another user's process."""
        file = self.files.setdefault("limits", File(self.base + "limits"))
        for line in file.read().splitlines():
            if line.startswith(b"Max open files"):
                word = line.split()[3]
                return int(word) if word.isdigit() else None
        return None

    def io(self) -> "list[Value]":
        """What it moved from and to storage, and its calls of read and write."""
        said = b"\n" + self.files["io"].read(4096)
        values = [(called, after(said, word)) for word, called in IO]
        return [(called, (), value) for called, value in values if value is not None]

    def run_queue(self, threads: int) -> "list[Value]":
        """How long its threads waited for a CPU, added up: what each waited more than at the look before."""
        if threads > MOST_THREADS or "run queue" in self.denied:
            if threads > MOST_THREADS:
                self.denied["run queue"] = "more than %d threads" % MOST_THREADS
            return []
        now = {}
        try:
            if threads == 1:
                now[str(self.pid)] = int(self.files["schedstat"].read(128).split()[1])
            else:
                for tid in os.listdir(self.base + "task"):
                    try:
                        with open("%stask/%s/schedstat" % (self.base, tid), "rb", 0) as file:
                            now[tid] = int(file.read(128).split()[1])
                    except (FileNotFoundError, ProcessLookupError):
                        continue
        except OSError as error:
            self.denied["run queue"] = error.strerror or "it cannot be read"
            return []
        except (IndexError, ValueError):
            return []
        self.waited += sum(max(0, w - self.waits.get(tid, 0)) for tid, w in now.items())
        self.waits = now
        return [("process_schedstat_waiting_seconds_total", (), self.waited / 1e9)]


def after(said: bytes, word: bytes) -> "int | None":
    """The number behind a word that begins a line; looking for a few is quicker than reading all lines."""
    at = said.find(word)
    if at < 0:
        return None
    text = said[at + len(word) : at + len(word) + 32].split(None, 1)
    return int(text[0]) if text and text[0].isdigit() else None


def stat_of(data: bytes) -> "tuple[str, list[bytes]]":
    """The name and the fields behind it: the name may hold any character. Raises ValueError."""
    start, end = data.find(b"("), data.rfind(b")")
    fields = data[end + 1 :].split()
    if start < 0 or len(fields) < 22:
        raise ValueError("no stat")
    return data[start + 1 : end].decode("utf-8", "replace"), fields
