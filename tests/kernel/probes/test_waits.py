"""Threads looked at for real: locks and their holders, idle pools, peers, files, ages."""

from __future__ import annotations

import os
import signal

import pytest
from compiled_targets import compiled, running
from observing_support import context, observe, skip_if_refused, working

from locard.kernel.probes import waits
from locard.model.evidence import Output
from locard.model.kernel_facts import Waits
from support import needs_root

pytestmark = needs_root

_LOCKS = r"""
int pthread_setname_np(pthread_t, const char *);
pthread_mutex_t cfg_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t pool_more = PTHREAD_COND_INITIALIZER;
pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;
pthread_mutex_t quiet_lock = PTHREAD_MUTEX_INITIALIZER;
static void *hold(void *x) { pthread_setname_np(pthread_self(), "holder"); pthread_mutex_lock(&cfg_lock);
  pthread_mutex_lock(&quiet_lock); for (;;) usleep(100000); return x; }
static void *want(void *x) { pthread_setname_np(pthread_self(), "wants"); pthread_mutex_lock(&cfg_lock); return x; }
static void *idle(void *x) { pthread_setname_np(pthread_self(), "idle"); pthread_mutex_lock(&pool_lock);
  pthread_cond_wait(&pool_more, &pool_lock); return x; }
static void *readers(void *x) { pthread_setname_np(pthread_self(), "reader"); pthread_rwlock_rdlock(&table_lock);
  for (;;) usleep(100000); return x; }
static void *writer(void *x) { pthread_setname_np(pthread_self(), "writer"); pthread_rwlock_wrlock(&table_lock); return x; }
int main(void) {
  pthread_t t;
  pthread_create(&t, 0, hold, 0); usleep(50000);
  for (int k = 0; k < 3; k++) pthread_create(&t, 0, want, 0);
  for (int k = 0; k < 4; k++) pthread_create(&t, 0, idle, 0);
  pthread_create(&t, 0, readers, 0); usleep(50000);
  pthread_create(&t, 0, writer, 0); usleep(100000);
  puts("ready"); fflush(stdout);
  pause();
}
"""


@pytest.fixture(scope="module")
def locks(tmp_path_factory):
    program = compiled(tmp_path_factory.mktemp("locks"), _LOCKS)
    with running(program) as target:
        found = observe(waits, target.pid, for_s=1.5)
    skip_if_refused(found)
    assert isinstance(found, Waits)
    return found


def named(found, symbol):
    return next(k for k in found.locks if k.symbol.startswith(symbol))


def test_a_mutex_is_contended_and_its_holder_is_named_with_what_it_does(locks):
    lock = named(locks, "cfg_lock")
    assert lock.contended
    assert lock.kind == "mutex"
    assert len(lock.waiter_tids) == 3
    assert lock.holder == "holder"
    assert "sleeps" in lock.doing[0][0]


def test_an_idle_pool_is_no_contention(locks):
    lock = named(locks, "pool_more")
    assert not lock.contended
    assert lock.kind == "condition variable"
    assert len(lock.waiter_tids) == 4
    assert not lock.holder


def test_a_starved_writer_is_one_waiter_without_a_recorded_holder(locks):
    lock = named(locks, "table_lock")
    assert lock.contended
    assert lock.kind.startswith("rwlock, held by readers")
    assert lock.waiters == ("writer",)
    assert not lock.holder
    assert "no holder is recorded in it" in lock.says


def test_a_lock_that_nobody_waits_for_is_not_there(locks):
    assert not [k for k in locks.locks if k.symbol.startswith("quiet")]


def test_the_age_of_a_wait_counts_from_before_the_first_look(locks):
    wants = [w for w in locks.threads if w.thread == "wants"]
    assert all(w.still_s >= locks.observed.seconds for w in wants)
    assert all(w.share > 0.9 for w in wants)


_MIXED = """
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
threading.Thread(target=client.recv, args=(1,), daemon=True).start()
def spin():
    while True: pass
threading.Thread(target=spin, daemon=True).start()
ready(server.getsockname()[1])
"""


def test_peers_and_running_threads_are_told_apart():
    with working(_MIXED) as target:
        found = observe(waits, target.pid, for_s=1.0)
    skip_if_refused(found)
    assert any(w.peer == f"127.0.0.1:{target.line}" for w in found.threads)
    assert sum(w.share for w in found.threads if w.state == "R") > 0.3
    assert sum(found.threads[0].strip) >= 1


def test_without_bpf_it_looks_at_proc_and_says_so():
    (command,) = waits.plan(context(1))
    assert "look_once" in command.argv[-2]
    text = (
        waits.SAMPLES[0].outputs[0].stdout
        + b'{"fallback": "loading the program: not permitted (EPERM)"}\n'
    )
    (fact,) = waits.read([Output(("python3",), text)])
    assert "looked at /proc instead" in fact.observed.blind[0]


_SHORT = """
ready()
def wait(seconds): time.sleep(seconds)
thread = threading.Thread(target=wait, args=(1.0,))
thread.start(); thread.join()
time.sleep(600)
"""


def test_a_thread_that_ends_before_we_do_is_told():
    with working(_SHORT) as target:
        target._process.stdin.write("go\n")
        target._process.stdin.flush()
        found = observe(waits, target.pid, for_s=2.5)
    skip_if_refused(found)
    gone = [w for w in found.threads if w.tid != target.pid and w.doing == "sleeps"]
    assert sum(w.looks for w in gone) >= 5


_LOCKED = """
import fcntl
first = open(sys.argv[1], "w"); fcntl.flock(first, fcntl.LOCK_EX)
pid = os.fork()
if pid == 0:
    fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX)
    os._exit(0)
ready(pid)
time.sleep(600)
"""


def test_a_file_lock_names_who_holds_it(tmp_path):
    with working(_LOCKED, tmp_path / "k.lock") as target:
        try:
            found = observe(waits, int(target.line), for_s=1.5)
        finally:
            os.kill(int(target.line), signal.SIGKILL)
    skip_if_refused(found)
    (lock,) = found.locks
    assert lock.kind == "file lock"
    assert lock.holder_tid == target.pid
    assert lock.contended


def test_the_other_end_of_a_pipe_is_named():
    code = "r, w = os.pipe(); pid = os.fork()\nif pid == 0:\n    os.close(w); time.sleep(600)\n"
    code += "os.close(r); threading.Thread(target=os.write, args=(w, b'x' * 200000), daemon=True).start(); ready(pid)\ntime.sleep(600)"
    with working(code) as target:
        try:
            found = observe(waits, target.pid, for_s=1.0)
        finally:
            os.kill(int(target.line), signal.SIGKILL)
    skip_if_refused(found)
    assert any(f"(pid {target.line})" in w.what for w in found.threads if w.call == "write")
