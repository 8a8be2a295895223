"""What waits for the disk, by file and call, on a program that counts its own truth."""

from __future__ import annotations

import json

from observing_support import observing, working

from locard.kernel.programs import fsync
from support import needs_root

pytestmark = needs_root

_SYNCS = """
import ctypes, mmap
root = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
plain, dsync, sync, mapped = (os.open(root + "/" + n, os.O_CREAT | os.O_RDWR | f) for n, f in
    (("plain", 0), ("dsync", os.O_DSYNC), ("sync", os.O_SYNC), ("mapped", 0)))
os.ftruncate(mapped, 1 << 16)
memory = mmap.mmap(mapped, 1 << 16)
r, w = os.pipe()
ready()
slowest = 0
for k in range(30):
    os.pwrite(plain, b"x" * 4096, 0)
    t = time.monotonic(); os.fsync(plain); slowest = max(slowest, time.monotonic() - t)
    os.fdatasync(plain)
    os.pwrite(dsync, b"y" * 4096, 0)
    os.writev(sync, [b"z" * 100, b"z" * 28])
    os.pwritev(plain, [b"x"], 0, 2)
    memory[0] = k; memory.flush()
    libc.sync_file_range(plain, ctypes.c_longlong(0), ctypes.c_longlong(4096), 7)
    try: os.fsync(w)
    except OSError: pass
    os.write(w, b"1"); os.read(r, 1)
    libc.syncfs(plain)
def other():
    for k in range(10): os.fsync(dsync)
thread = threading.Thread(target=other); thread.start(); thread.join()
tell(slowest=slowest)
"""


def test_every_way_of_waiting_for_the_disk(tmp_path):
    with working(_SYNCS, tmp_path) as target, observing(fsync, target.pid) as seen:
        truth = json.loads(target.go())
    trace = seen.trace
    assert not trace.partial, trace.problem
    found = {
        (r.what.rpartition("/")[2], r.detail.partition(";")[0], r.result): r for r in trace.rows
    }
    for key, count in (
        (("plain", "fsync", "ok"), 30),
        (("plain", "fdatasync", "ok"), 30),
        (("plain", "sync_file_range", "ok"), 30),
        (("plain", "syncfs", "ok"), 30),
        (("plain", "pwritev2, O_DSYNC", "ok"), 30),
        (("dsync", "pwrite64, O_DSYNC", "ok"), 30),
        (("sync", "writev, O_SYNC", "ok"), 30),
        (("mapped", "msync", "ok"), 30),
        (("dsync", "fsync", "ok"), 10),
    ):
        assert found[key].count == count, key
        assert found[key].what.startswith(str(tmp_path))
    assert found["sync", "writev, O_SYNC", "ok"].bytes == 30 * 128
    assert sum(r.count for r in trace.rows if r.result == "EINVAL") == 30  # of the pipe
    # No other: plain writes and those to pipes do not wait.
    assert sum(r.count for r in trace.rows) == 280
    slowest = found["plain", "fsync", "ok"].max_s
    assert truth["slowest"] * 0.5 < slowest <= truth["slowest"]
    assert "30 of them failed" in trace.says


def test_writes_that_do_not_wait_are_not_told(tmp_path):
    code = "f = open(sys.argv[1] + '/f', 'wb', 0)\nready()\nfor k in range(99): f.write(b'x')"
    with working(code, tmp_path) as target, observing(fsync, target.pid) as seen:
        target.go()
    assert seen.trace.rows == ()
    assert seen.trace.says.startswith("no fsync and no synchronous write in ")
