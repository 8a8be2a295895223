"""Programs that are started, by path, result and starter, on a program that counts its own truth."""

from __future__ import annotations

import json

from observing_support import observe, observing, working

from locard.kernel.programs import exec as execs
from support import needs_root

pytestmark = needs_root

_STARTS = """
import resource, subprocess
root = sys.argv[1]
open(root + "/plain", "w").write("#!/bin/sh\\nexit 3\\n"); os.chmod(root + "/plain", 0o755)
open(root + "/locked", "w").write("x"); os.chmod(root + "/locked", 0o644)
os.chdir(root)
ready()
def run(*tries):
    pid = os.fork()
    if pid == 0:
        for path, argv in tries:
            try: os.execve(path, argv, os.environ)
            except OSError: pass
        os._exit(1)
    os.waitpid(pid, 0)
for k in range(20):
    run((root + "/none", ["none"]), ("/bin/sh", ["sh", "-c", "/bin/true; exec /bin/sleep 0"]))
    run((root + "/locked", ["locked"]), ("./plain", ["plain"]))
    run()
busy = "t=$(date +%s%N); while [ $(( $(date +%s%N) - t )) -lt 100000000 ]; do :; done"
subprocess.run(["/bin/sh", "-c", busy])
fd = os.open("/bin/true", os.O_RDONLY)
run((fd, ["by-descriptor"]))
kill = subprocess.Popen(["/bin/sleep", "60"]); kill.kill(); kill.wait()
used = resource.getrusage(resource.RUSAGE_CHILDREN)
tell(cpu=used.ru_utime + used.ru_stime)
"""


def test_starts_failures_and_who_started_them(tmp_path):
    with working(_STARTS, tmp_path) as target, observing(execs, target.pid) as seen:
        truth = json.loads(target.go())
    trace = seen.trace
    assert not trace.partial, trace.problem
    rows = {(r.what, r.result): r for r in trace.rows}
    assert rows["/bin/sh", "ok"].count == 21
    assert rows[f"{tmp_path}/none", "ENOENT"].count == 20
    assert rows[f"{tmp_path}/locked", "EACCES"].count == 20
    script = rows[f"{tmp_path}/plain", "ok"]
    assert script.count == 20
    assert "by the target 20" in script.detail
    assert "20 exited with a failure" in script.detail
    assert "by /bin/sh 20" in rows["/bin/true", "ok"].detail
    assert rows["/bin/sleep", "ok"].count == 21
    assert "by /bin/sh 20" in rows["/bin/sleep", "ok"].detail
    assert "20 executed another in its place" in rows["/bin/sh", "ok"].detail
    assert "1 ended by a signal" in rows["/bin/sleep", "ok"].detail
    assert rows["the target", "forked"].count == 63
    assert "20 ended and had executed nothing" in rows["the target", "forked"].detail
    assert not any("unknown" in r.detail or "lost" in r.what for r in trace.rows)
    # By descriptor: the file's own path, wherever /bin leads to.
    assert sum(r.count for r in trace.rows if r.what.endswith("/true") and r.result == "ok") == 21
    assert 0.09 < rows["/bin/sh", "ok"].max_s < 2
    said = float(trace.says.rpartition("they used ")[2].split()[0])
    unit = trace.says.rpartition("they used ")[2].split()[1]
    assert truth["cpu"] * 0.8 < said * {"s": 1, "ms": 1e-3}[unit] < truth["cpu"] * 1.2


_FORKS = """
ready()
for k in range(50):
    pid = os.fork()
    if pid == 0: os._exit(0)
    os.waitpid(pid, 0)
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
"""


def test_forks_that_execute_nothing_are_no_programs():
    with working(_FORKS) as target, observing(execs, target.pid) as seen:
        target.go()
    assert seen.trace.says.startswith("no program was started in ")
    assert "50 forks" in seen.trace.says
    assert [r.result for r in seen.trace.rows] == ["forked"]


def test_nothing_started():
    with working("ready()") as target:
        said = observe(execs, target.pid, for_s=0.5).says
    assert said == "no program was started and nothing forked in 0.5 s"


_SEARCH = """
root = sys.argv[1]
folders = [root + "/" + name for name in "abcd"]
for folder in folders: os.mkdir(folder)
for name, mode in (("found", 0o755), ("here", 0o755)):
    at = folders[3] if name == "found" else folders[0]
    open(at + "/" + name, "w").write("#!/bin/sh\\nexit 0\\n"); os.chmod(at + "/" + name, mode)
ready()
for k in range(10):
    for name in ("found", "nowhere", "here", "/none/alone"):
        pid = os.fork()
        if pid == 0:
            try: os.execvpe(name, [name], {"PATH": ":".join(folders)})
            except OSError: os._exit(1)
        os.waitpid(pid, 0)
tell()
"""


def test_a_search_in_path_is_one_row_with_what_came_of_it(tmp_path):
    with working(_SEARCH, tmp_path) as target, observing(execs, target.pid) as seen:
        target.go()
    rows = {(r.what, r.result): r for r in seen.trace.rows}
    found = rows[f"{tmp_path}/d/found", "ok"]
    assert found.count == 10
    assert "after 3 look-ups in PATH each" in found.detail
    nowhere = rows["nowhere", "ENOENT"]
    assert nowhere.count == 10
    assert f"not found in PATH: looked for in 4 folders: {tmp_path}/a" in nowhere.detail
    assert "PATH" not in rows[f"{tmp_path}/a/here", "ok"].detail  # the control: found at once
    assert rows["/none/alone", "ENOENT"].count == 10  # nor is one path a search
    assert not [r for r in seen.trace.rows if r.what == f"{tmp_path}/a/found"]
    assert "not found in PATH: nowhere 10" in seen.trace.says
    assert "30 look-ups in PATH before one was found" in seen.trace.says
