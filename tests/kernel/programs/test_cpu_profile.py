"""Samples of the CPU: shares of a known work, stacks without frame pointers, threads, and an idle target."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from compiled_targets import compiled, running
from observing_support import observe, observing, working

from locard.kernel.programs import cpu_profile

WORKS = r"""
static volatile long sink;
#define SPIN(n) for (long k = 0; k < (n) * 1000; k++) sink += k
__attribute__((noinline)) void heavy(void) { SPIN(900); }
__attribute__((noinline)) void light(void) { SPIN(300); }
__attribute__((noinline)) void level3(void) { char room[600]; room[0] = 1; __asm__ volatile("" :: "r"(room)); heavy(); light(); sink++; }
__attribute__((noinline)) void level2(void) { level3(); sink++; }
static void *thread(void *p) { double until = now() + 2; while (now() < until) level2(); sink++; return p; }
int main() {
  ready();
  pthread_t t;
  pthread_create(&t, NULL, thread, NULL);
  pthread_join(t, NULL);
  puts("{}"); fflush(stdout);
}
"""


@pytest.mark.parametrize("pointers", ["-fomit-frame-pointer", "-fno-omit-frame-pointer"])
def test_shares_and_whole_stacks(tmp_path, pointers):
    if pointers == "-fomit-frame-pointer" and os.uname().machine != "x86_64":
        pytest.skip("unwinding by tables is for x86-64")
    program = compiled(tmp_path, WORKS, "-O2", pointers, "-fno-optimize-sibling-calls")
    with running(program) as target:
        with observing(cpu_profile, target.pid, hz=199) as look:
            target.go()
        assert target.ended_well()
    trace = look.trace
    assert not trace.partial, trace.problem
    total = sum(s.value for s in trace.stacks)
    assert 199 < total < 2.6 * 199
    heavy = sum(s.value for s in trace.stacks if "heavy" in s.frames)
    assert 0.65 < heavy / total < 0.85
    whole = [s for s in trace.stacks if s.frames[-3:] == ("level2", "level3", "heavy")]
    assert sum(s.value for s in whole) > 0.9 * sum(
        s.value for s in trace.stacks if s.frames[-1] == "heavy"
    )
    assert all("thread" in s.frames for s in whole)
    assert trace.rows[0].what == "heavy"
    assert not any("frame pointers" in words for words in trace.observed.blind)
    assert trace.threads[0].count > 0.95 * total
    assert trace.threads[0].tid != target.pid
    assert "heavy" in trace.says


def test_an_idle_target_is_on_no_cpu():
    with working("ready()") as target:
        trace = observe(cpu_profile, target.pid, for_s=0.5)
    assert trace.says == "no sample found the target on a CPU in 0.5 s at 99 Hz"
    assert not trace.rows


NAMED = """
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
ready()
until = time.monotonic() + 1.5
while time.monotonic() < until:
    fibonacci(12)
tell()
"""


def test_python_says_that_its_frames_are_missing_or_shows_them():
    with working(NAMED) as target, observing(cpu_profile, target.pid, hz=199) as look:
        target.go()
    assert any("Python frames are not merged" in words for words in look.trace.observed.blind)
    assert any("PyEval" in f for s in look.trace.stacks for f in s.frames)


NODE = """
process.stdout.write('ready\\n');
process.stdin.once('data', () => {
  const until = Date.now() + 1500;
  function busyWithOrders() { let s = 0; for (let i = 0; i < 1e5; i++) s += Math.sqrt(i); return s; }
  while (Date.now() < until) busyWithOrders();
  process.stdout.write('{}\\n');
  process.exit(0);
});
"""


def test_code_made_at_run_time_is_named_by_its_map(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    with running(node, "--perf-basic-prof", "-e", NODE, cwd=tmp_path) as target:
        with observing(cpu_profile, target.pid, hz=199) as look:
            target.go()
        written = Path(f"/tmp/perf-{target.pid}.map")
    total = sum(s.value for s in look.trace.stacks)
    ours = sum(s.value for s in look.trace.stacks if any("busyWithOrders" in f for f in s.frames))
    written.unlink(missing_ok=True)
    assert ours > 0.7 * total
