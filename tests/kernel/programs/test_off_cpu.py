"""Time off CPU by stack, on threads that wait for a known time in a known place."""

from __future__ import annotations

import json

from observing_support import observe, observing, working

from locard.kernel.programs import off_cpu
from support import needs_root

pytestmark = needs_root

_WAITS = """
def called(name):
    with open("/proc/thread-self/comm", "w") as f: f.write(name)
r, w = os.pipe()
kept, kept_w = os.pipe()
tids = {}
go = threading.Event()
def reader():
    called("reader"); tids["reader"] = threading.get_native_id(); go.wait()
    for k in range(10): os.read(r, 1)
def sleeper():
    called("sleeper"); tids["sleeper"] = threading.get_native_id(); go.wait()
    for k in range(5): time.sleep(0.1)
def idle():
    called("idle"); tids["idle"] = threading.get_native_id(); os.read(kept, 1)
threads = [threading.Thread(target=f) for f in (reader, sleeper, idle)]
for t in threads: t.start()
while len(tids) < 3: time.sleep(0.001)
time.sleep(0.01)
ready()
t = time.monotonic(); go.set()
for k in range(10): time.sleep(0.05); os.write(w, b"1")
threads[0].join(); threads[1].join()
tell(tids=tids)
os.write(kept_w, b"1"); threads[2].join()
"""


def test_where_and_how_long():
    with working(_WAITS) as target, observing(off_cpu, target.pid, for_s=20, wakers=True) as seen:
        tids = json.loads(target.go())["tids"]
    trace = seen.trace
    assert not trace.partial, trace.problem
    rows = {r.tid: r for r in trace.rows}
    assert rows[tids["reader"]].thread == "reader"
    assert 0.45 < rows[tids["reader"]].total_s < 1.0
    assert 0.45 < rows[tids["sleeper"]].total_s < 1.0
    assert rows[tids["sleeper"]].count >= 5
    reads = [s for s in trace.stacks if s.thread == "reader" and "pipe_read" in "".join(s.frames)]
    assert 0.45 < sum(s.value for s in reads) < 1.0
    assert any("read" in s.frames for s in reads)
    woken = {"".join(s.waker) for s in reads}
    assert any("pipe_write" in w for w in woken)
    sleeps = [s for s in trace.stacks if s.thread == "sleeper" and "nanosleep" in "".join(s.frames)]
    assert sleeps
    assert all(s.waker[0] == "[interrupt]" for s in sleeps)
    assert not any("bpf_" in f or f == "schedule_[k]" for s in trace.stacks for f in s.frames)


def test_short_waits_are_by_thread_only():
    code = "ready()\nfor k in range(200): time.sleep(0.0005)\ntell()"
    with working(code) as target, observing(off_cpu, target.pid, min=0.2) as seen:
        target.go()
    trace = seen.trace
    (row,) = [r for r in trace.rows if r.tid == target.pid and not r.result]
    assert 190 <= row.count < 230  # a timer may be over before it is waited for
    assert not any("nanosleep" in "".join(s.frames) for s in trace.stacks)


_BORN_AND_WOKEN = """
r, w = os.pipe()
tids = {}
def old():
    tids["old"] = threading.get_native_id(); os.read(r, 1)
threading.Thread(target=old).start()
while not tids: time.sleep(0.001)
time.sleep(0.01)
ready(); began = time.monotonic()
time.sleep(0.5); os.write(w, b"1"); slept = time.monotonic() - began
stop = threading.Event()
def short(): time.sleep(0.1)
until = time.monotonic() + 4
print(json.dumps(dict(tids=tids, slept=slept)), flush=True)
while time.monotonic() < until:
    for k in range(4): threading.Thread(target=short).start()
    time.sleep(0.02)
"""


def test_a_wait_from_before_counts_and_new_threads_did_not_sleep_before():
    with working(_BORN_AND_WOKEN) as target:
        with observing(off_cpu, target.pid, for_s=2.0) as seen:
            truth = json.loads(target.go())
    trace = seen.trace
    (old,) = [r for r in trace.rows if r.tid == truth["tids"]["old"]]
    assert truth["slept"] - 0.02 < old.total_s < trace.observed.seconds
    assert "in a wait since before" in old.detail
    assert not [r for r in trace.rows if r.result == "the whole time"]
    assert "the whole time" not in trace.says
    ended = [r for r in trace.rows if r.result != "the whole time"]
    assert f"in {sum(r.count for r in ended):,} waits" in trace.says
    assert all(r.total_s <= trace.observed.seconds for r in trace.rows if not r.threads)


def test_a_thread_that_sleeps_the_whole_time_is_told():
    with working(_WAITS) as target:
        trace = observe(off_cpu, target.pid, for_s=0.5)
    whole = [r for r in trace.rows if r.result == "the whole time"]
    assert {r.thread for r in whole} >= {"reader", "sleeper", "idle"}
    assert all(abs(r.total_s - trace.observed.seconds) < 0.01 for r in whole)
    assert "slept the whole time" in trace.says


_POOL = """
import queue
todo = queue.SimpleQueue()
def take():
    with open("/proc/thread-self/comm", "w") as f: f.write("pool")
    todo.get()
    for k in range(3): time.sleep(0.1)
threads = [threading.Thread(target=take) for _ in range(12)]
for t in threads: t.start()
time.sleep(0.1); ready()
for t in threads: todo.put(1)
for t in threads: t.join()
for k in range(300):
    t = threading.Thread(target=time.sleep, args=(0.002,)); t.start(); t.join()
tell()
"""


def test_one_stack_of_many_threads_is_one_and_short_lived_threads_are_counted():
    with working(_POOL) as target, observing(off_cpu, target.pid, for_s=20) as seen:
        target.go()
    trace = seen.trace
    slept = [s for s in trace.stacks if s.thread == "pool" and "nanosleep" in "".join(s.frames)]
    assert len(slept) < 6, slept  # a few call sites, and no row for each thread
    # all 12 on a quiet machine; on a full one some are preempted on their way into the sleep
    assert 6 < max(s.threads for s in slept) <= 12
    assert 3.6 <= sum(s.value for s in slept) < 12
    assert len({s.frames for s in slept}) == len(slept)
    (short,) = [r for r in trace.rows if r.thread == "(short-lived)"]
    assert 200 <= short.threads <= 320
    assert len(trace.rows) < 60
