"""Library calls of programs that count themselves: preloaded, static and plain allocators, times, threads, safety."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from compiled_targets import compiled, running
from observing_support import observe, observing, working

from locard.kernel.probes import libcalls
from locard.model.kernel_facts import NotObserved

ALLOCATES = r"""
#include <new>
struct Order { char body[232]; };
int main(int c, char **v) {
  long rounds = atol(v[1]);
  void *keep[64] = {}; Order *kept[64] = {};
  setvbuf(stdout, NULL, _IONBF, 0);
  ready();
  size_t bytes = 0;
  for (long m = 0; m < rounds; m++) {
    size_t size = 48 * (1 + m % 4);
    free(keep[m % 64]); keep[m % 64] = malloc(size); bytes += size; memset(keep[m % 64], 1, size);
    delete kept[m % 64]; kept[m % 64] = new Order; memset(kept[m % 64], 1, sizeof(Order));
  }
  printf("{\"calls\":%ld,\"bytes\":%zu,\"null\":%d}\n", rounds, bytes, 64);
}
"""
ROUNDS = 3000
BIG = 10000.0  # per cent: what is asked here is not the cost


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("allocates")
    return compiled(folder, ALLOCATES, "-O1", "-fno-builtin", cc="g++")


def by_name(trace, file):
    return {r.what: r for r in trace.rows if file in r.detail and r.count}


def seen(program, env=None, **asked):
    with running(program, ROUNDS, env=env) as target:
        with observing(libcalls, target.pid, max_overhead=BIG, **asked) as look:
            truth = target.go()
        assert target.ended_well()
    assert not look.trace.partial, look.trace.problem
    assert truth["calls"] == ROUNDS
    return look.trace, truth


@pytest.mark.parametrize("no_latency", [False, True], ids=["latency", "no-latency"])
def test_new_that_calls_malloc_is_one_allocation(program, no_latency):
    trace, truth = seen(program, no_latency=no_latency)
    libc, cpp = by_name(trace, "libc.so.6"), by_name(trace, "libstdc++")
    assert libc["malloc"].count == 2 * ROUNDS
    assert f"{ROUNDS:,} inside another counted call" in libc["malloc"].detail
    assert libc["malloc"].bytes == truth["bytes"] + 232 * ROUNDS
    assert cpp["_Znwm"].count == ROUNDS
    assert libc["free"].count == ROUNDS + ROUNDS - 64
    assert f"{truth['null']} of NULL" in libc["free"].detail
    assert f"{2 * ROUNDS:,} allocations" in trace.says
    assert f"malloc {ROUNDS:,}" in trace.says
    assert "served by /" in trace.says
    assert "libc.so.6" in trace.says.partition("served by")[2].partition(";")[0]
    assert f"{2 * ROUNDS - 64:,} frees, 64 of them of NULL" in trace.says
    assert (libc["malloc"].total_s is None) is no_latency
    assert cpp["_Znwm"].total_s is None, "an exception may pass through it"
    sizes = next(h for h in trace.histograms if h.name.startswith("malloc"))
    assert {(s.least, s.count) for s in sizes.slots} == {
        (n, ROUNDS // 4) for n in (48, 96, 144, 192)
    }


def test_a_preloaded_allocator_serves_and_libc_gets_none(program):
    found = sorted(map(str, Path("/usr/lib").glob("*/libjemalloc.so.2")))
    if not found:
        pytest.skip("no libjemalloc2")
    trace, truth = seen(program, env={"LD_PRELOAD": found[0]})
    je = by_name(trace, "libjemalloc")
    assert je["malloc"].count == je["_Znwm"].count == ROUNDS
    assert "inside" not in je["malloc"].detail
    assert je["malloc"].bytes == truth["bytes"]
    assert je["free"].count == ROUNDS
    assert je["_ZdlPvm"].count == ROUNDS - 64
    assert not by_name(trace, "libc.so.6")
    assert "served by " + found[0] in trace.says
    assert "malloc of libc.so.6 got none" in trace.says


def test_a_static_program_serves_itself(tmp_path):
    program = compiled(tmp_path, ALLOCATES, "-O1", "-fno-builtin", "-static", cc="g++")
    trace, _ = seen(program)
    own = by_name(trace, str(program))
    assert own["malloc"].count == 2 * ROUNDS
    assert own["_Znwm"].count == ROUNDS
    assert f"served by {program}" in trace.says


SLEEPS = r"""
__attribute__((noinline)) int inner(int n) { usleep(2000); return n + 1; }
__attribute__((noinline)) int work(int n) { int r = inner(n); __asm__(""); return r; }
__attribute__((noinline)) int deep(int n) { if (!n) return 0; int r = deep(n - 1); __asm__ volatile(""); return r + 1; }
__attribute__((noinline)) int hangs(int n) { pause(); __asm__(""); return n; }
static void *stays(void *p) { (void)p; hangs(1); return NULL; }
static void *other(void *p) { for (int k = 0; k < 50; k++) work(k); return p; }
int main() {
  ready();
  pthread_t a, b;
  pthread_create(&a, NULL, other, NULL);
  pthread_create(&b, NULL, stays, NULL);
  for (int k = 0; k < 50; k++) work(k);
  for (int k = 0; k < 10; k++) deep(40);
  pthread_join(a, NULL);
  puts("{}"); fflush(stdout);
  char c[8]; if (read(0, c, sizeof c) < 0) return 3;
  return 0;
}
"""


def test_times_threads_recursion_and_what_has_not_returned(tmp_path):
    program = compiled(tmp_path, SLEEPS, "-O0", "-fno-omit-frame-pointer")
    with running(program) as target:
        with observing(libcalls, target.pid, for_s=2.0, expression="inner+work+deep+hangs@MAIN",
                       stacks=True, max_overhead=BIG) as look:  # fmt: skip
            target.go()
        target.begin()
        assert target.ended_well()
    trace = look.trace
    rows = {r.what: r for r in trace.rows}
    assert rows["work"].count == rows["inner"].count == 100
    assert "100 inside" in rows["inner"].detail
    assert 0.0019 < rows["inner"].p50_s < 0.02
    assert rows["work"].total_s >= rows["inner"].total_s * 0.98
    assert rows["deep"].count == 410
    assert sorted(r.count for r in trace.threads if r.what == "work") == [50, 50]
    assert [r.what for r in trace.blocked] == ["hangs"]
    assert ["main", "work"] in [list(s.frames[-2:]) for s in trace.stacks]
    assert any("[uprobes]" in words for words in trace.observed.left)


LEAVES = r"""
#include <setjmp.h>
static jmp_buf back;
__attribute__((noinline)) int thrown(int n) { if (n % 2) longjmp(back, 1); __asm__(""); return n; }
__attribute__((noinline)) int plain(int n) { __asm__(""); return n; }
int main() {
  ready();
  for (volatile int k = 0; k < 100; k++) { if (!setjmp(back)) thrown(k); plain(k); }
  puts("{}"); fflush(stdout);
  return 0;
}
"""


def test_a_call_that_is_left_by_longjmp_is_no_call_that_hangs(tmp_path):
    program = compiled(tmp_path, LEAVES, "-O0")
    with running(program) as target:
        with observing(
            libcalls, target.pid, expression="thrown+plain+_setjmp+longjmp", max_overhead=BIG
        ) as look:
            target.go()
        assert target.ended_well()
    rows = {r.what: r for r in look.trace.rows}
    assert rows["thrown"].count == rows["plain"].count == 100
    assert "inside" not in rows["plain"].detail
    assert not look.trace.blocked
    assert any("returns twice" in words for words in look.trace.observed.blind)


THROWS = r"""
__attribute__((noinline)) int risky(int n) { if (n % 2) throw n; return n; }
int main() {
  ready();
  int caught = 0;
  for (int k = 0; k < 100; k++) try { risky(k); } catch (int) { caught++; }
  printf("{\"caught\":%d}\n", caught);
  return 0;
}
"""


def test_exceptions_pass_through_what_is_attached_to(tmp_path):
    program = compiled(tmp_path, THROWS, "-O1", cc="g++")
    with running(program) as target:
        with observing(libcalls, target.pid, expression="*risky*", max_overhead=BIG) as look:
            assert target.go() == {"caught": 50}
        assert target.ended_well()
    (row,) = look.trace.rows
    assert row.count == 100
    assert row.total_s is None


LOOPS = r"""
int main() {
  ready();
  puts("{}"); fflush(stdout);
  double until = now() + 60;
  while (now() < until) for (int k = 0; k < 1000; k++) { void *p = malloc(64); __asm__ volatile("" :: "r"(p)); free(p); }
}
"""


def test_a_loop_of_malloc_is_left_alone_soon(tmp_path):
    program = compiled(tmp_path, LOOPS, "-O1", "-fno-builtin")
    with running(program) as target:
        with observing(libcalls, target.pid, for_s=20.0) as look:
            target.go()
        trace = look.trace
    assert trace.partial
    assert trace.observed.cut
    assert trace.observed.seconds < 5
    assert "overhead" in trace.observed.ended or "cost" in trace.observed.ended


def test_nothing_called_is_said_so(tmp_path):
    program = compiled(tmp_path, LOOPS, "-O1", "-fno-builtin")
    with running(program) as target:
        trace = observe(libcalls, target.pid, for_s=0.3)
        assert trace.says.startswith("no call of ")
        assert "0.3 s" in trace.says
        missing = observe(libcalls, target.pid, for_s=0.3, expression="SSL_read@libssl*")
    assert isinstance(missing, NotObserved)
    assert "no file of that name is mapped" in missing.why


LOADS = r"""
#include <dlfcn.h>
int main(int c, char **v) {
  ready();
  void *h = dlopen(v[1], RTLD_NOW);
  if (!h) { puts(dlerror()); return 4; }
  int (*f)(int) = (int (*)(int))dlsym(h, "loaded_later");
  puts("{}"); fflush(stdout);
  for (int k = 0; k < 400; k++) { f(k); usleep(10000); }
}
"""


def test_a_library_that_is_loaded_meanwhile_is_attached_to(tmp_path):
    library = compiled(
        tmp_path, "int loaded_later(int n) { return n + 1; }", "-shared", "-fPIC", name="liblate.so"
    )
    program = compiled(tmp_path, LOADS, "-O1", "-ldl")
    with (
        running(program, library) as target,
        observing(
            libcalls, target.pid, for_s=3.0, expression="puts+loaded_later", max_overhead=BIG
        ) as look,
    ):
        target.go()
    rows = {r.what: r for r in look.trace.rows}
    assert 50 < rows["loaded_later"].count < 400
    assert any("liblate.so meanwhile" in words for words in look.trace.observed.blind)


TALKS = """
import ssl, threading
ready(ssl.OPENSSL_VERSION)
ours, theirs = socket.socketpair()
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(sys.argv[1])
client = ssl.create_default_context()
client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
def serve():
    with server.wrap_socket(theirs, server_side=True) as s:
        for _ in range(50):
            data = s.recv(100)
            s.sendall(data + data)
thread = threading.Thread(target=serve)
thread.start()
got = 0
with client.wrap_socket(ours) as s:
    for _ in range(50):
        s.sendall(b"x" * 64)
        got += len(s.recv(128))
    thread.join()
tell(got=got)
"""


def test_bytes_through_tls(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    pem = tmp_path / "pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=a", "-days", "2",
         "-keyout", pem, "-out", tmp_path / "cert"], check=True, capture_output=True)  # fmt: skip
    pem.write_text(pem.read_text() + (tmp_path / "cert").read_text())
    with (
        working(TALKS, pem) as target,
        observing(
            libcalls, target.pid, expression="SSL_read*+SSL_write*@libssl*", max_overhead=BIG
        ) as look,
    ):
        assert json.loads(target.go()) == {"got": 50 * 128}
    rows = {r.what: r for r in look.trace.rows}
    wrote = next(rows[n] for n in ("SSL_write_ex", "SSL_write") if n in rows)
    read = next(rows[n] for n in ("SSL_read_ex", "SSL_read") if n in rows)
    assert wrote.bytes == 50 * 64 + 50 * 128 == read.bytes
    assert wrote.count == 100
    assert read.count >= 100
    assert read.total_s is not None


def test_samples_are_json_lines():
    for sample in libcalls.SAMPLES:
        for output in sample.outputs:
            assert all(json.loads(line) for line in output.text.splitlines())


FAILS = r"""
void *volatile sink;
int main() {
  setvbuf(stdout, NULL, _IONBF, 0);
  ready();
  for (int k = 0; k < 50; k++) free(sink = malloc(100));
  volatile size_t huge = 1UL << 62, half = 1UL << 33, much = 1UL << 46;
  for (int k = 0; k < 7; k++) if ((sink = malloc(huge))) return 1;
  for (int k = 0; k < 5; k++) if ((sink = calloc(half, half))) return 1;
  for (int k = 0; k < 3; k++) if ((sink = malloc(much))) return 1;
  puts("{}");
}
"""


@pytest.mark.parametrize("no_latency", [False, True], ids=["latency", "no-latency"])
def test_what_was_not_granted_is_in_no_bytes(tmp_path, no_latency):
    program = compiled(tmp_path, FAILS, "-O1", "-fno-builtin")
    trace, _ = seen_once(program, no_latency)
    malloc, calloc = (by_name(trace, "libc.so.6")[name] for name in ("malloc", "calloc"))
    granted = 50 * 100
    assert malloc.bytes == granted + (3 << 46 if no_latency else 0)
    assert calloc.bytes is None
    assert (malloc.count, calloc.count) == (60, 5)
    assert "7 impossible requests" in malloc.detail
    assert "12 impossible requests (more than 128 TiB), in no sum" in trace.says
    assert not any("far_time_site" in s.frames for s in trace.stacks)  # locard's own
    if not no_latency:
        assert (malloc.errors, calloc.errors) == (10, 5)
        assert "4.9 KiB asked for, without 15 that failed; " in trace.says


def seen_once(program, no_latency):
    with running(program) as target:
        with observing(
            libcalls,
            target.pid,
            max_overhead=BIG,
            no_latency=no_latency,
            expression="malloc+calloc",
            stacks=True,
        ) as look:
            truth = target.go()
        assert target.ended_well()
    return look.trace, truth
