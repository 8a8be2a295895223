"""The sampler beside the target: real processes, real groups of version 1, a tree of version 2 in files."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import locard
from locard.metrics import history
from locard.metrics.sources import process
from locard.model.evidence import Output
from support import is_alive, needs_root, wait_until
from v1_groups import V1

SOURCE = Path(locard.__file__).parent
PARTS = process.SAMPLE.program.split("+")
TEXT = "\n".join((SOURCE / part).read_text() for part in PARTS)


NOBODY = "import array, base64, json, math, os, resource, signal, zlib; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"


def program(seconds, interval, *words, before=""):
    """The program as it travels: its output."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", str(seconds), str(interval), *map(str, words)],
        input=(before + TEXT).encode(), capture_output=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def words_of(data):
    found = {}
    for line in data.decode().splitlines():
        if "\t" not in line:
            found |= json.loads(line)
    return found


def series(data):
    """{(name, pid or id): Series}, and what else was said."""
    told = history.read(Output(("x",), data))
    return {(s.name, s.label("pid") or s.label("id")): s for s in told.series}, words_of(data)


@pytest.fixture(name="far")
def _far():
    """The parts in one namespace, as they are at a place; main does not run."""
    module = types.ModuleType("travelled")
    exec(compile(TEXT, "travelled", "exec"), module.__dict__)
    yield module
    for descriptor in module._KEPT:
        os.close(descriptor)


@pytest.fixture(name="v1")
def _v1():
    groups = V1()
    yield groups
    groups.remove()


OPENS = """
import os, resource, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
print("ready", flush=True)
sys.stdin.readline()
kept = [open("/dev/null") for _ in range(50)]
print("opened", flush=True)
time.sleep(600)
"""


def test_fifty_open_files_beside_their_soft_limit(start):
    one = start("-c", OPENS, stdin=subprocess.PIPE)
    before, _ = series(program(0.2, 0.1, one.pid))
    one.stdin.write("\n")
    one.stdin.flush()
    assert one.stdout.readline() == "opened\n"
    after, _ = series(program(0.2, 0.1, one.pid))
    few, many = (
        found["process_open_fds", str(one.pid)].values.tolist() for found in (before, after)
    )
    assert [b - a for a, b in zip(few, many, strict=True)] == [50.0] * len(few)
    assert set(many) == {float(len(list(Path(f"/proc/{one.pid}/fd").iterdir())))}
    assert set(after["process_max_fds", str(one.pid)].values) == {100.0}


GROWS = """
import time
print("ready", flush=True)
held = []
while True:
    if len(held) < 300: held.append(b"y" * (1 << 20))
    time.sleep(.01)
"""


def anonymous(pid):
    (line,) = [
        n for n in Path(f"/proc/{pid}/status").read_text().splitlines() if n.startswith("RssAnon")
    ]
    return int(line.split()[1]) * 1024


def test_resident_memory_that_grows(start):
    pid = start("-c", GROWS).pid
    before = anonymous(pid)
    found, _ = series(program(1, 0.1, pid))
    after = anonymous(pid)
    own = found["process_resident_memory_anonymous_bytes", str(pid)].values
    assert before <= own[0] < own[-1] <= after
    assert own[-1] - own[0] >= 1 << 20
    # What is of files did not grow, so that the whole grew by the same.
    whole = found["process_resident_memory_bytes", str(pid)].values
    assert abs((whole[-1] - whole[0]) - (own[-1] - own[0])) <= 1 << 20


FORKS = """
import os, sys, time
first = os.fork()
if not first: time.sleep(600)
print(first, flush=True)
sys.stdin.readline()
os.kill(first, 9); os.waitpid(first, 0)
second = os.fork()
if not second:
    third = os.fork()
    time.sleep(600)
print(second, flush=True)
time.sleep(600)
"""


def test_what_ends_ends_its_series_and_what_begins_gets_one(start):
    parent = start("-c", FORKS, stdin=subprocess.PIPE)
    first = int(parent.line)
    sampler = subprocess.Popen(
        [sys.executable, "-I", "-S", "-", "30", "0.1", str(parent.pid), str(first)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    sampler.stdin.write(TEXT.encode())
    sampler.stdin.close()
    wait_until(lambda: f"/proc/{parent.pid}/stat" in opened_by(sampler.pid))
    parent.stdin.write("\n")
    parent.stdin.flush()
    second = int(parent.stdout.readline())
    third = wait_for_child(second)
    wait_until(lambda: f"/proc/{third}/stat" in opened_by(sampler.pid))
    sampler.terminate()  # what was counted is told
    data = sampler.stdout.read()
    sampler.wait()
    sampler.stdout.close()
    for pid in (second, third):
        os.kill(pid, 9)
    found, words = series(data)
    rows = {row["pid"]: row for row in words["processes"]}
    assert set(rows) == {first, second, third}
    assert rows[first]["began"] is None
    assert rows[second]["ended"] is None
    name = "process_cpu_seconds_total"
    ended = found[name, str(first)].times[-1]
    assert ended <= rows[first]["ended"]
    assert found[name, str(first)].times.size < found[name, str(parent.pid)].times.size
    assert found[name, str(third)].times[0] >= rows[third]["began"] - 0.001
    assert words["sampled"]["stopped"] == "it was ended"


def opened_by(pid):
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(entry.readlink()))
    return found


def wait_for_child(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: path.read_text().split())
    return int(path.read_text().split()[0])


def test_the_end_of_all_ends_the_sampling(start):
    short = start("-c", "import time; print(1, flush=True); time.sleep(.5)")
    found, words = series(program(60, 0.1, short.pid))
    assert words["sampled"]["stopped"] == "every process of the target has ended"
    assert len(found["process_threads", str(short.pid)].values) < 100


def test_a_process_that_is_gone_is_no_zero():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    found, words = series(program(0.2, 0.1, gone.pid))
    assert words["problem"]["words"] == "none of its processes is there any more"
    assert not [name for name, pid in found if pid == str(gone.pid)]
    assert ("node_load1", "") in found


@needs_root
def test_what_may_not_be_read_is_said_once(start):
    pids = [start("-c", "import time; print(1, flush=True); time.sleep(600)").pid for _ in range(2)]
    found, words = series(program(0.3, 0.1, *pids, before=NOBODY))
    denied = {row["what"]: row for row in words["missed"]}
    assert denied["io"] == {"what": "io", "why": "Permission denied", "pids": pids, "of": 2}
    names = {name for name, pid in found if pid == str(pids[0])}
    assert "process_threads" in names
    assert not [name for name in names if name.startswith("process_io_")]
    if "fds" not in denied:  # the folder itself says how many it has, since Linux 6.2
        assert "process_max_fds" in names


def test_the_pid_of_another_process_is_told_by_its_start(far, tmp_path):
    real = Path(f"/proc/{os.getpid()}")
    fake = tmp_path / str(os.getpid())
    (fake / "fd").mkdir(parents=True)
    for name in ("stat", "status", "io", "schedstat"):
        (fake / name).write_bytes((real / name).read_bytes())
    far.PROC = str(tmp_path)
    one = far.Sampled(os.getpid())
    assert {name: value for name, _, value in one.sample()}["process_threads"] >= 1
    fields = (fake / "stat").read_text().rsplit(")", 1)
    rest = fields[1].split()
    rest[19] = str(int(rest[19]) + 1)
    (fake / "stat").write_text(f"{fields[0]}) {' '.join(rest)}\n")
    assert one.sample() is None
    one.close()


def test_waits_of_threads_that_ended_are_no_fall(far, start):
    pid = start("-c", "import time; print(1, flush=True); time.sleep(600)").pid
    one = far.Sampled(pid)
    one.run_queue(1)
    # One thread has ended, and the number of another one is used again.
    one.waited, one.waits = 5 * 10**9, {"1": 10**9, str(pid): 10**18}
    assert one.run_queue(1) == [("process_schedstat_waiting_seconds_total", (), 5.0)]
    ((_, _, later),) = one.run_queue(1)
    assert 5.0 <= later < 600
    one.close()


def test_a_name_with_parentheses_and_blanks(far):
    text = b"7 (a) R 1 (b)) S 1 " + b" ".join(b"%d" % n for n in range(40))
    name, fields = far.stat_of(text)
    assert (name, fields[0], fields[1]) == ("a) R 1 (b)", b"S", b"1")


V2 = {
    "cgroup.controllers": "cpu io memory pids\n", "cgroup.events": "populated 1\nfrozen 0\n",
    "cpu.stat": "usage_usec 5000000\nuser_usec 1\nnr_periods 100\nnr_throttled 40\nthrottled_usec 2500000\n",
    "cpu.max": "50000 100000\n", "memory.current": "50000000\n", "memory.max": "100000000\n",
    "memory.high": "80000000\n", "memory.stat": "anon 30000000\nfile 15000000\ninactive_file 12000000\n",
    "memory.events": "low 0\nhigh 7\nmax 3\noom 2\noom_kill 1\noom_group_kill 0\n",
    "memory.swap.current": "4096\n", "pids.current": "12\n", "pids.max": "40\n",
    "io.stat": "8:0 rbytes=1000 wbytes=2000 rios=3 wios=4 dbytes=0 dios=0\n254:0 \n",
    "cpu.pressure": "some avg10=1.00 avg60=0.00 avg300=0.00 total=3000000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n",
    "memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
}  # fmt: skip


@pytest.fixture(name="tree")
def _tree(tmp_path):
    folder = tmp_path / "shop.slice"
    folder.mkdir()
    for name, text in V2.items():
        (folder / name).write_text(text)
    return folder


def test_a_group_of_version_2(far, tree):
    group = far.Group(str(tree))
    found = {(name, *dict(labels[1:]).values()): value for name, labels, value in group.sample()}
    assert found == {
        ("container_cpu_usage_seconds_total",): 5.0,
        ("container_spec_cpu_quota",): 50000, ("container_spec_cpu_period",): 100000,
        ("container_cpu_cfs_periods_total",): 100, ("container_cpu_cfs_throttled_periods_total",): 40,
        ("container_cpu_cfs_throttled_seconds_total",): pytest.approx(2.5),
        ("container_memory_usage_bytes",): 50_000_000, ("container_memory_working_set_bytes",): 38_000_000,
        ("container_spec_memory_limit_bytes",): 100_000_000, ("container_memory_high_bytes",): 80_000_000,
        ("container_memory_rss",): 30_000_000, ("container_memory_cache",): 15_000_000,
        ("container_memory_swap",): 4096,
        ("container_memory_events_total", "high"): 7, ("container_memory_events_total", "max"): 3,
        ("container_memory_events_total", "oom"): 2, ("container_oom_events_total",): 1,
        ("container_fs_reads_bytes_total", "8:0"): 1000, ("container_fs_writes_bytes_total", "8:0"): 2000,
        ("container_fs_reads_total", "8:0"): 3, ("container_fs_writes_total", "8:0"): 4,
        ("container_threads",): 12, ("container_threads_max",): 40,
        ("container_pressure_cpu_waiting_seconds_total",): 3.0, ("container_pressure_cpu_stalled_seconds_total",): 1.0,
        ("container_pressure_memory_waiting_seconds_total",): 0.0,
    }  # fmt: skip
    assert group.labels == (("id", str(tree)),)


def test_no_limit_is_no_number(far, tree):
    for name in ("memory.max", "memory.high", "pids.max"):
        (tree / name).write_text("max\n")
    (tree / "cpu.max").write_text("max 100000\n")
    names = {name for name, _, _ in far.Group(str(tree)).sample()}
    assert not [n for n in names if "limit" in n or "_max" in n or "high_bytes" in n or "cfs" in n or "spec" in n]  # fmt: skip
    assert "container_memory_working_set_bytes" in names


def test_a_group_is_read_anew_at_each_look(far, tree):
    group = far.Group(str(tree))
    first = {name: value for name, _, value in group.sample()}
    (tree / "memory.current").write_text("90000000\n")
    second = {name: value for name, _, value in group.sample()}
    assert first["container_memory_working_set_bytes"] == 38_000_000
    assert second["container_memory_working_set_bytes"] == 78_000_000


def test_the_root_is_the_host_and_not_a_group(far, tree):
    (tree / "cgroup.events").unlink()
    assert far.Group(str(tree)).files == {}


@pytest.mark.parametrize(
    ("directory", "name"),
    [
        ("/sys/fs/cgroup/memory/pods/a", "/pods/a"),
        ("/sys/fs/cgroup/cpu,cpuacct/pods", "/pods"),
        ("/sys/fs/cgroup/unified/pods", "/pods"),
        ("/sys/fs/cgroup/system.slice/a.service", "/system.slice/a.service"),
        ("/sys/fs/cgroup", "/"),
        ("/sys/fs/cgroup/memory", "/"),
        ("/elsewhere/pods", "/elsewhere/pods"),
    ],
)
def test_the_id_is_the_path_below_the_mount(far, directory, name):
    assert far.group_id(directory) == name


@needs_root
def test_a_memory_limit_of_version_1(start, v1):
    folder = v1.make("memory", {"memory.limit_in_bytes": 128 << 20})
    code = "m = bytearray(40 << 20); m[::4096] = b'y' * len(m[::4096]); import time; print(1, flush=True); time.sleep(600)"
    v1.enter(start("-c", "import sys; print(1, flush=True); sys.stdin.readline(); " + code, stdin=subprocess.PIPE), folder)  # fmt: skip
    found, _ = series(program(0.3, 0.1, v1.pid, folder))
    name = f"/{folder.name}"
    limit = found["container_spec_memory_limit_bytes", name].values
    working = found["container_memory_working_set_bytes", name].values
    assert set(limit) == {float(128 << 20)}
    assert 40 << 20 <= working[-1] <= 60 << 20
    free = v1.make("memory", {}, "b")
    unlimited, _ = series(program(0.2, 0.1, free))
    assert ("container_memory_usage_bytes", f"/{free.name}") in unlimited
    assert ("container_spec_memory_limit_bytes", f"/{free.name}") not in unlimited


BURNS = """
import sys
print("ready", flush=True)
sys.stdin.readline()
print("burns", flush=True)
while True: pass
"""


@needs_root
def test_periods_in_which_a_quota_stops_it(start, v1):
    """What the program says, beside what the files say before and after."""
    folder = v1.make("cpu", {"cpu.cfs_period_us": 50000, "cpu.cfs_quota_us": 2000})
    v1.enter(start("-c", BURNS, stdin=subprocess.PIPE), folder)
    before = v1.stat(folder)
    found, _ = series(program(2, 0.2, v1.pid, folder))
    after = v1.stat(folder)
    name = f"/{folder.name}"
    periods, stopped = (
        found[f"container_cpu_cfs_{n}_total", name].values for n in ("periods", "throttled_periods")
    )
    assert before["nr_periods"] <= periods[0] < periods[-1] <= after["nr_periods"]
    assert before["nr_throttled"] <= stopped[0] < stopped[-1] <= after["nr_throttled"]
    truth = (after["nr_throttled"] - before["nr_throttled"]) / (after["nr_periods"] - before["nr_periods"])  # fmt: skip
    assert abs((stopped[-1] - stopped[0]) / (periods[-1] - periods[0]) - truth) < 0.15
    assert set(found["container_spec_cpu_quota", name].values) == {2000.0}
    assert is_alive(v1.pid)
