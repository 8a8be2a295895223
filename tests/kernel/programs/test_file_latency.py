"""Reads and writes by file, and slow ones, on programs that count their own truth."""

from __future__ import annotations

import json

from observing_support import observing, working

from locard.kernel.programs import file_latency
from support import needs_root

pytestmark = needs_root

_READS = """
root = sys.argv[1]
os.mkdir(root + "/d"); open(root + "/d/one", "w"); open(root + "/d/f", "w").write("x" * 100000)
near = len(sys.argv) > 2
f, g = os.open(root + "/d/f", os.O_RDONLY), os.open(root + "/d/one", os.O_WRONLY)
r, w = os.pipe(); a, b = socket.socketpair(); e = os.eventfd(0)
ready()
for k in range(100): os.pread(f, 512, k * 512)
for k in range(40): os.write(g, b"12345")
os.listdir(root + "/d")
def late():
    time.sleep(0.3); os.write(w, b"1"); b.send(b"1"); os.eventfd_write(e, 1)
thread = threading.Thread(target=late); thread.start()
os.read(r, 1); a.recv(1); os.eventfd_read(e); thread.join()
buffer = bytearray(1 << 27)
if not near:
    h = os.open(root + "/big", os.O_CREAT | os.O_WRONLY)
    t = time.monotonic(); os.write(h, buffer); took = time.monotonic() - t
    os.unlink(root + "/big")
    tell(took=took)
else: tell(took=0)
"""


def test_files_by_path_and_the_slow_one(tmp_path):
    with (
        working(_READS, tmp_path) as target,
        observing(file_latency, target.pid, slow=0.01) as seen,
    ):
        truth = json.loads(target.go())
    trace = seen.trace
    assert not trace.partial, trace.problem
    rows = {(r.what, r.detail.partition(";")[0]): r for r in trace.rows}
    read = rows[f"{tmp_path}/d/f", "read"]
    assert (read.count, read.bytes) == (100, 51200)
    written = rows[f"{tmp_path}/d/one", "write"]
    assert (written.count, written.bytes) == (40, 200)
    assert rows[f"{tmp_path}/d", "list"].count == 2
    slow = rows[f"{tmp_path}/big", "write"]
    assert slow.count == 1
    assert truth["took"] * 0.9 < slow.max_s <= truth["took"]
    assert "1 slow, by python" in slow.detail
    assert f"1 slow, most: write of {tmp_path}/big (1, max " in trace.says


def test_waiting_for_somebody_is_no_slow_file(tmp_path):
    with (
        working(_READS, tmp_path, "near") as target,
        observing(file_latency, target.pid, slow=0.1) as seen,
    ):
        target.go()
    assert ", none slow, the slowest " in seen.trace.says
    waits = [r for r in seen.trace.rows if r.result == "no file" and r.what == "pipes"]
    assert max(r.max_s for r in waits) > 0.25
    assert not any("slow" in r.detail for r in seen.trace.rows)
    assert not any("anon_inode" in r.what for r in seen.trace.rows)


_COPIES = """
root = sys.argv[1]
open(root + "/from", "w").write("x" * 40960); open(root + "/gone", "w").write("y" * 100)
f, g = os.open(root + "/from", os.O_RDONLY), os.open(root + "/gone", os.O_RDONLY)
c = os.open(root + "/copied", os.O_CREAT | os.O_WRONLY)
s = os.open(root + "/sent", os.O_CREAT | os.O_WRONLY)
p = os.open(root + "/spliced", os.O_CREAT | os.O_WRONLY)
os.unlink(root + "/gone")
r, w = os.pipe()
ready()
copied = sum(os.copy_file_range(f, c, 4096, 0) for k in range(10))
sent = sum(os.sendfile(s, f, 0, 1000) for k in range(20))
spliced = 0
for k in range(5):
    os.splice(f, w, 4096, offset_src=0); spliced += os.splice(r, p, 4096)
os.pread(g, 10, 0)
tell(copied=copied, sent=sent, spliced=spliced)
"""


def test_both_files_of_a_copy_and_a_deleted_one(tmp_path):
    with working(_COPIES, tmp_path) as target, observing(file_latency, target.pid) as seen:
        truth = json.loads(target.go())
    rows = {(r.what, r.detail.partition(";")[0]): (r.count, r.bytes) for r in seen.trace.rows}
    assert rows[f"{tmp_path}/copied", "write"] == (10, truth["copied"])
    assert rows[f"{tmp_path}/sent", "write"] == (20, truth["sent"])
    assert rows[f"{tmp_path}/spliced", "write"] == (5, truth["spliced"])
    total = truth["copied"] + truth["sent"] + truth["spliced"]
    assert rows[f"{tmp_path}/from", "read"] == (35, total)
    assert rows[f"{tmp_path}/gone (deleted)", "read"] == (1, 10)
    pipes = [r for r in seen.trace.rows if r.result == "no file" and r.what == "pipes"]
    assert not any(r.detail.startswith("read") for r in pipes)  # its truth is written to one
