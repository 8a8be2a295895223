"""The last calls before a process ends, however it ends."""

from __future__ import annotations

import os
import signal

import pytest
from observing_support import observe, observing, working

from locard.kernel.programs import last_calls
from support import needs_root, wait_until

pytestmark = needs_root

_FLIGHT = """
path, how = sys.argv[1:3]
server = socket.create_server(("127.0.0.1", 0)); port = server.getsockname()[1]
closed = socket.socket(); closed.bind(("127.0.0.1", 0)); gone = closed.getsockname()[1]; closed.close()
r, w = os.pipe()
def waits():
    with open("/proc/thread-self/comm", "w") as f: f.write("waits")
    os.read(r, 5)
threading.Thread(target=waits, daemon=True).start()
ready()
for k in range(500): os.getppid()
call = socket.create_connection(("127.0.0.1", port)); call.sendall(b"x" * 77)
try: socket.create_connection(("127.0.0.1", gone))
except OSError: pass
f = os.open(path, os.O_CREAT | os.O_RDWR); os.pwrite(f, b"12345", 100)
try: os.open(path + "/none", os.O_RDONLY)
except OSError: pass
print(port, gone, flush=True)
if how == "exit": os._exit(3)
if how == "segv":
    import ctypes; ctypes.string_at(8)
if how == "abort": os.abort()
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("kill", "was ended by SIGKILL"),
        ("exit", "exited with status 3"),
        ("segv", "was ended by SIGSEGV"),
        ("abort", "was ended by SIGABRT"),
    ],
)
def test_they_are_there_however_it_ends(tmp_path, how, said):
    path = tmp_path / "data"
    with (
        working(_FLIGHT, path, how) as target,
        observing(last_calls, target.pid, for_s=20, keep=100) as seen,
    ):
        port, gone = target.go().split()
        if how == "kill":
            os.kill(target.pid, signal.SIGKILL)
        wait_until(lambda: target._process.poll() is not None)
    trace = seen.trace
    assert not trace.partial, trace.problem
    assert f"process {target.pid} (python) {said}" in trace.says
    main = [r for r in trace.rows if r.tid == target.pid]
    assert len(main) == 100
    found = {(r.what, r.result): r.detail for r in main}
    assert any(f'"{path}", ' in r.detail for r in main if r.what == "openat" and r.result.isdigit())
    assert f'"{path}/none"' in next(r.detail for r in main if r.result == "ENOTDIR")
    assert f"= {path}, " in found["pwrite64", "5"]
    assert f"-> 127.0.0.1:{port}, " in found["sendto", "77"]
    assert f"127.0.0.1:{gone}, 16; " in found["connect", "ECONNREFUSED"]
    if how == "kill":
        assert main[0].what in {"clock_nanosleep", "write"}
    if how == "exit":
        assert (main[0].what, main[0].result) == ("exit_group", "not ended")
        assert main[0].detail.startswith("3; ")


def test_a_process_that_runs_on(tmp_path):
    code = "ready()\nwhile True: time.sleep(0.01)"
    with working(code) as target, observing(last_calls, target.pid, for_s=1.0, keep=5) as seen:
        target._process.stdin.write("go\n")
        target._process.stdin.flush()
    rows = [r for r in seen.trace.rows if r.tid == target.pid]
    assert len(rows) == 5
    assert {r.what for r in rows} == {"clock_nanosleep"}
    assert "ended" not in seen.trace.says.replace("not ended", "")


def test_no_call():
    with working("ready()") as target:
        assert observe(last_calls, target.pid, for_s=0.5).says == "no system call began in 0.5 s"
