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
