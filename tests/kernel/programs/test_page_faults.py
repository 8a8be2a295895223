"""Page faults by mapping, on a program whose own counts are the truth."""

from __future__ import annotations

import json

from observing_support import observing, working

from locard.kernel.programs import page_faults
from support import needs_root

pytestmark = needs_root

_FAULTS = """
import mmap, resource
path = sys.argv[1] + "/index"
size = 8 << 20
f = os.open(path, os.O_CREAT | os.O_RDWR)
os.write(f, b"x" * size); os.fsync(f)
m = mmap.mmap(f, size, prot=mmap.PROT_READ); m.madvise(mmap.MADV_RANDOM)
private = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE); private.madvise(mmap.MADV_NOHUGEPAGE)
cold = len(sys.argv) < 3
if not cold: sum(m[k] for k in range(0, size, 4096))
ready()
if cold: os.posix_fadvise(f, 0, size, os.POSIX_FADV_DONTNEED)
before = resource.getrusage(resource.RUSAGE_SELF)
for k in range(0, size, 1 << 15): m[k]
for k in range(0, 1 << 20, 4096): private[k] = 1
after = resource.getrusage(resource.RUSAGE_SELF)
tell(major=after.ru_majflt - before.ru_majflt, minor=after.ru_minflt - before.ru_minflt)
"""


def test_major_faults_by_file_with_their_latencies(tmp_path):
    with working(_FAULTS, tmp_path) as target, observing(page_faults, target.pid) as seen:
        truth = json.loads(target.go())
    trace = seen.trace
    assert not trace.partial, trace.problem
    index = {r.result: r for r in trace.rows if r.what == f"{tmp_path}/index"}
    assert truth["major"] == 256
    assert index["major"].count == 256
    assert 0 < index["major"].p50_s < 0.1
    anonymous = sum(r.count for r in trace.rows if r.what == "anonymous memory")
    assert truth["minor"] <= sum(r.count for r in trace.rows if r.result == "minor")
    assert anonymous >= 256
    assert "256 major page faults (the page was read)" in trace.says


def test_pages_in_memory_are_no_major_faults(tmp_path):
    with working(_FAULTS, tmp_path, "warm") as target, observing(page_faults, target.pid) as seen:
        truth = json.loads(target.go())
    assert truth["major"] == 0
    assert not [r for r in seen.trace.rows if r.result == "major"]
    assert "no major page fault" in seen.trace.says
