"""Sizes of allocations of a program that counts them; one that allocates nothing."""

from __future__ import annotations

import pytest
from compiled_targets import compiled, running
from observing_support import observing

from locard.kernel.programs import malloc_sizes

ASKS = r"""
static __attribute__((noinline)) void *kept(size_t n) { void *p = malloc(n); __asm__ volatile("" :: "r"(p)); return p; }
static void *other(void *p) { for (int k = 0; k < 200; k++) free(calloc(10, 30)); return p; }
int main() {
  setvbuf(stdout, NULL, _IONBF, 0);
  pthread_t t;
  pthread_attr_t a; pthread_attr_init(&a);
  ready();
  for (int k = 0; k < 1000; k++) free(kept(k % 10 ? 64 : 4096));
  for (int k = 0; k < 100; k++) { void *p = realloc(NULL, 500); p = realloc(p, 700); free(p); void *q; if (!posix_memalign(&q, 64, 128)) free(q); }
  pthread_create(&t, &a, other, NULL);
  pthread_join(t, NULL);
  puts("{}");
}
"""


def test_sizes_functions_and_threads(tmp_path):
    program = compiled(tmp_path, ASKS, "-O1", "-fno-builtin", "-fno-omit-frame-pointer")
    with running(program) as target:
        with observing(malloc_sizes, target.pid, stacks=True, max_overhead=10000.0) as look:
            target.go()
        assert target.ended_well()
    trace = look.trace
    assert not trace.partial, trace.problem
    counts = {(r.what, r.detail.partition(" in ")[0]): r.count for r in trace.rows}
    assert counts["64 bytes", "malloc"] == 900
    assert counts["4096 bytes", "malloc"] == 100
    assert counts["300 bytes", "calloc"] == 200
    assert counts["500 bytes", "realloc"] == counts["700 bytes", "realloc"] == 100
    assert counts["128 bytes", "posix_memalign"] == 100
    assert "other sizes" not in {what for what, _ in counts}
    assert "64 bytes" in trace.says
    assert "served by /" in trace.says
    assert any(r.what == "calloc" and r.count == 200 and r.tid != target.pid for r in trace.threads)
    mallocs = [s for s in trace.stacks if s.frames[-1] == "malloc" and "kept" in s.frames]
    assert sum(s.value for s in mallocs) == 1000


@pytest.mark.parametrize("stacks", [False, True])
def test_nothing_is_allocated(tmp_path, stacks):
    program = compiled(tmp_path, "int main() { ready(); sleep(1); }", "-O1")
    with running(program) as target, observing(malloc_sizes, target.pid, stacks=stacks) as look:
        target.begin()
    assert look.trace.says.startswith("no allocation in ")
    assert not look.trace.rows


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


def test_what_nobody_can_grant_is_in_no_sum(tmp_path):
    program = compiled(tmp_path, FAILS, "-O1", "-fno-builtin")
    with running(program) as target:
        with observing(malloc_sizes, target.pid, max_overhead=10000.0) as look:
            target.go()
        assert target.ended_well()
    trace = look.trace
    assert "53 allocations asked for 196608 GiB in" in trace.says  # 3 of 64 TiB might be granted
    assert "; 12 impossible requests (more than 128 TiB), in no sum; served by" in trace.says
    rows = {(r.what, r.detail.partition(" in ")[0]): r.count for r in trace.rows}
    assert rows["impossible", "more than 128 TiB: malloc"] == 7
    assert rows["impossible", "more than 128 TiB: calloc"] == 5
    assert rows["100 bytes", "malloc"] == 50
    assert "other sizes" not in {what for what, _ in rows}
