"""System calls counted for real, on programs that count their own truth."""

from __future__ import annotations

import json

import pytest
from observing_support import context, observe, observing, working

from locard.kernel.probes import syscalls
from locard.model.errors import UsageError
from locard.model.kernel_facts import NotObserved
from support import needs_root

pytestmark = needs_root

_FILES = """
import tempfile
name = sys.argv[1]
with open(name, "wb") as file: file.write(b"x" * 4000)
fd = os.open(name, os.O_RDONLY)
r, w = os.pipe()
ready()
count = 0
while os.read(fd, 1): count += 1
for k in range(300):
    os.write(w, b"z"); os.read(r, 1)
missing = 0
for k in range(70):
    try: os.stat(name + ".none")
    except OSError: missing += 1
tell(bytes=count, pipe=300, missing=missing)
"""


def by_what(rows):
    return {(r.what, r.result): r for r in rows}


def test_counts_by_call_file_and_error_are_the_targets_own(tmp_path):
    name = str(tmp_path / "list.txt")
    with working(_FILES, name) as target:
        with observing(syscalls, target.pid, for_s=60.0) as seen:
            truth = json.loads(target.go())
        found = seen.calls
    files = by_what(found.files)
    read = files[name, "read"]
    assert (read.count, read.bytes) == (truth["bytes"] + 1, truth["bytes"])
    assert read.detail.startswith("file")
    assert f"{truth['bytes']} of 1 byte" in read.detail
    pipes = [r.count for r in found.files if r.result == "read" and r.what.startswith("pipe ")]
    assert truth["pipe"] in pipes  # the other one is the standard input, which it read when we came
    errors = {(r.what, r.result): r.count for r in found.errors}
    assert errors["newfstatat", "ENOENT"] == truth["missing"]
    assert found.observed.ended == "the target ended"
    assert not found.partial


_FORKS = """
ready()
import threading
def work(n):
    for k in range(n): os.getppid()
thread = threading.Thread(target=work, args=(500,)); thread.start(); thread.join()
pid = os.fork()
if pid == 0:
    work(700); os._exit(0)
os.waitpid(pid, 0)
tell(calls=1200)
"""


def test_threads_and_children_that_begin_meanwhile_are_followed():
    with working(_FORKS) as target:
        with observing(syscalls, target.pid, for_s=60.0, events="getppid") as seen:
            target.go()
        found = seen.calls
    assert [(r.what, r.count) for r in found.calls] == [("getppid", 1200)]
    assert sorted(r.count for r in found.threads) == [500, 700]


_BLOCKED = """
r, w = os.pipe()
held = threading.Thread(target=os.read, args=(r, 1), daemon=True)
held.start()
while "pipe" not in open("/proc/self/task/%d/wchan" % held.native_id).read(): pass
ready()
def later():
    os.read(os.pipe()[0], 1)
late = threading.Thread(target=later, daemon=True)
late.start()
while "pipe" not in open("/proc/self/task/%d/wchan" % late.native_id).read(): pass
print(held.native_id, late.native_id, flush=True)
sys.stdin.readline()
"""


def test_calls_that_have_not_ended_are_told_also_those_from_before():
    with working(_BLOCKED) as target:
        with observing(syscalls, target.pid, for_s=1.5) as seen:
            before, late = map(int, target.go().split())
        found = seen.calls
    blocked = {r.tid: r for r in found.blocked if r.what == "read"}
    assert blocked[before].detail == "the whole time, and since before, on pipe"
    assert blocked[late].detail == "has not ended, on pipe"


_OVER = """
r, w = os.pipe()
held = threading.Thread(target=os.read, args=(r, 1), daemon=True)
held.start()
while "pipe" not in open("/proc/self/task/%d/wchan" % held.native_id).read(): pass
ready()
time.sleep(1.0)
os.write(w, b"x")
held.join()
tell()
"""


def test_a_call_from_before_that_ends_meanwhile_is_counted_from_when_we_came():
    with working(_OVER) as target:
        with observing(syscalls, target.pid, for_s=60.0, events="read") as seen:
            target.go()
        found = seen.calls
    read = next(r for r in found.calls if r.what == "read")
    assert read.max_s >= 1.0
    assert "had begun before" in read.detail


_FAST = """
ready()
end = time.monotonic() + 30
while time.monotonic() < end: os.getppid()
"""


def test_it_detaches_past_its_overhead_and_says_so():
    with (
        working(_FAST) as target,
        observing(syscalls, target.pid, for_s=25.0, max_overhead=0.5) as seen,
    ):
        target._process.stdin.write("go\n")
        target._process.stdin.flush()
    found = seen.calls
    assert found.observed.seconds < 20
    assert "detached after" in found.observed.ended
    assert found.partial
    assert "getppid" in {r.what for r in found.calls}


def test_slow_calls_are_told_one_by_one():
    code = "ready()\nfor k in range(3): time.sleep(0.05)\ntell()"
    with working(code) as target:
        with observing(syscalls, target.pid, for_s=60.0, slow=0.02) as seen:
            target.go()
        found = seen.calls
    naps = [r for r in found.slow if "nanosleep" in r.what]
    assert len(naps) == 3
    assert all(0.05 <= r.total_s < 1 for r in naps)


def test_a_call_that_is_none_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="no system call 'readd'"):
        list(syscalls.plan(context(1), syscalls.Params(events="readd")))


def test_a_kernel_that_refuses_is_said_with_what_unlocks_it():
    (fact,) = syscalls.read(syscalls.SAMPLES[1].outputs)
    assert isinstance(fact, NotObserved)
    assert "CAP_BPF and CAP_PERFMON" in fact.problem


def test_nothing_is_seen_of_a_target_that_sleeps():
    with working("ready()") as target:
        found = observe(syscalls, target.pid, for_s=0.5)
    assert not found.calls
    assert [r.what for r in found.blocked] == ["read"]


_FAILS = """
ready()
for k in range(40):
    try: os.stat("/none")
    except OSError: pass
    os.getppid()
tell()
"""


def test_only_what_fails():
    with working(_FAILS) as target:
        with observing(syscalls, target.pid, for_s=60.0, errors=True) as seen:
            target.go()
        found = seen.calls
    counts = {r.what: r.count for r in found.calls}
    assert counts["newfstatat"] == 40
    assert "getppid" not in counts


_REFUSED = """
port = socket.socket(); port.bind(("127.0.0.1", 0)); number = port.getsockname()[1]
ready(number)
for k in range(20):
    s = socket.socket()
    try: s.connect(("127.0.0.1", number))
    except OSError: pass
    s.close(); time.sleep(0.03)
tell()
"""


def test_a_connect_that_is_refused_names_whom_it_asked_for():
    from locard.rules import connection_refused
    from rules.builders import case

    with working(_REFUSED) as target:
        with observing(syscalls, target.pid, for_s=60.0) as seen:
            target.go()
        found = seen.calls
    row = next(r for r in found.files if r.result == "connect")
    assert row.what == f"tcp -> 127.0.0.1:{target.line}"
    assert (row.count, row.errors) == (20, 20)
    (finding,) = connection_refused.judge(case(found))
    assert finding.title == f"Connections are refused by 127.0.0.1:{target.line}"


def test_a_lock_of_python_is_a_semaphore_without_a_recorded_holder():
    from locard.kernel.probes import waits

    code = """
lock = threading.Lock()
lock.acquire()
for k in range(3): threading.Thread(target=lock.acquire, daemon=True).start()
ready()
time.sleep(600)
"""
    with working(code) as target:
        found = observe(waits, target.pid, for_s=1.5)
    (word,) = [k for k in found.locks if len(k.waiter_tids) == 3]
    assert word.kind == "semaphore"
    assert not word.contended
    assert "it records no holder" in word.says


_ON_WHAT = """
far = socket.socket(); far.bind(("127.0.0.1", 0))
port = far.getsockname()[1]  # bound and not listening: refused
fd = os.open("/dev/null", os.O_RDONLY)
ready()
for k in range(30):
    for call in (
        lambda: socket.create_connection(("127.0.0.1", port)),
        lambda: os.write(fd, b"x"),
        lambda: open("/srv/not/there"),
        lambda: os.rmdir("/srv/not/there"),
    ):
        try: call()
        except OSError: pass
for k in range(3):
    try: os.pread(fd, 1, -1)
    except OSError: pass
tell(port=port)
"""


def test_a_failed_call_names_its_file_or_peer_or_what_tells_the_path():
    with working(_ON_WHAT) as target, observing(syscalls, target.pid, for_s=20.0) as seen:
        port = json.loads(target.go())["port"]
    of = {(r.what, r.result): r for r in seen.calls.errors}
    assert of["connect", "ECONNREFUSED"].detail == f"on tcp -> 127.0.0.1:{port} 30"
    assert of["write", "EBADF"].detail == "on /dev/null 30"
    assert of["openat", "ENOENT"].detail == "which file: locard trace opens TARGET"
    assert of["rmdir", "ENOENT"].detail == ""  # nothing of locard tells it


_CHURN = """
todo = 2600
ready()
for k in range(todo):
    t = threading.Thread(target=os.getppid); t.start(); t.join()
tell(todo=todo)
"""


def test_a_churn_of_threads_beyond_the_kernels_table_loses_no_call():
    with working(_CHURN) as target, observing(syscalls, target.pid, for_s=60.0) as seen:
        todo = json.loads(target.go())["todo"]
    found = seen.calls
    assert not found.partial, found.problem
    assert {r.what: r.count for r in found.calls}["getppid"] == todo
    assert any(r.thread == "(others)" for r in found.threads)  # the table was full
    assert sum(r.count for r in found.threads) == sum(r.count for r in found.calls)
    assert len(found.threads) <= 201
