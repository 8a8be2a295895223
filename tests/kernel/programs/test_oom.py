"""Victims of the kernel, in a memory cgroup of the test's own with a limit."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from observing_support import observing, working

from locard.kernel.programs import oom
from support import needs_root, wait_until

pytestmark = needs_root

_LIMIT = 64 << 20
_EATS = """
ready()
pid = os.fork()
if pid == 0:
    with open("/proc/self/comm", "w") as f: f.write("eater")
    with open("/proc/self/oom_score_adj", "w") as f: f.write("500")
    kept = []
    for k in range(int(sys.argv[1])): kept.append(bytearray(1 << 20))
    os._exit(0)
_, status = os.waitpid(pid, 0)
tell(pid=pid, signal=status & 0x7f)
"""


@contextlib.contextmanager
def limited(pid):
    """A memory cgroup of version 1, which the process joins."""
    folder = Path(f"/sys/fs/cgroup/memory/locard-{os.getpid()}")
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(_LIMIT))
    except OSError as why:
        pytest.skip(f"cgroup v1 memory: {why}")
    (folder / "cgroup.procs").write_text(str(pid))
    try:
        yield folder.name
    finally:
        wait_until(lambda: not (folder / "cgroup.procs").read_text().split())
        folder.rmdir()


def test_the_victim_of_a_limit_is_told():

    with working(_EATS, 200) as target, limited(target.pid) as group:
        with observing(oom, target.pid) as seen:
            truth = json.loads(target.go())
        target.close()
    assert truth["signal"] == 9
    trace = seen.trace
    (victim,) = [r for r in trace.rows if r.result == "killed" and r.pid == truth["pid"]]
    assert victim.what == "eater"
    assert victim.detail.startswith("of the target")
    assert "oom_score_adj 500" in victim.detail
    assert _LIMIT // 2 < victim.bytes < _LIMIT * 1.5
    (killed,) = [r for r in trace.rows if r.result == "oom_kill"]
    assert (killed.what, killed.count) == (f"cgroup /{group}", 1)
    assert "1 of the target: eater" in trace.says
    assert f"1 killed in cgroup /{group} (limit 64 MiB)" in trace.says


def test_what_fits_is_not_killed():
    with working(_EATS, 10) as target, limited(target.pid):
        with observing(oom, target.pid) as seen:
            target.go()
        target.close()
    assert seen.trace.says.startswith("no process was killed for lack of memory in ")
