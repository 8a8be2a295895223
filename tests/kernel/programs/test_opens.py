"""Opens by absolute path and result, on programs that count their own truth."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from observing_support import observe, observing, working

from locard.kernel import _traces
from locard.kernel.programs import opens
from support import needs_root

pytestmark = needs_root

_OPENS = """
import ctypes, errno
root = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
truth = {}
def attempt(full, call):
    try:
        os.close(call()); result = "ok"
    except OSError as e:
        result = errno.errorcode[e.errno]
    truth[full + " " + result] = truth.get(full + " " + result, 0) + 1
def openat2(fd, name, resolve):
    how = struct.pack("QQQ", 0, 0, resolve)
    got = libc.syscall(437, fd, name.encode(), how, len(how))
    if got < 0: raise OSError(ctypes.get_errno(), "")
    return got
def opened(name, **more): return lambda: os.open(name, os.O_RDONLY, **more)
"""

_FOLDERS = (
    _OPENS
    + """
os.makedirs(root + "/a/deep"); os.makedirs(root + "/b"); os.makedirs(root + "/jail/etc")
open(root + "/a/x", "w"); open(root + "/jail/etc/x", "w")
a, b = (os.open(root + f, os.O_PATH) for f in ("/a", "/b"))
jail = os.open(root + "/jail", os.O_PATH)
os.chdir(root + "/a/deep")
ready()
for k in range(50):
    attempt(root + "/a/x", opened("x", dir_fd=a))
    attempt(root + "/b/x", opened("x", dir_fd=b))
    attempt(root + "/a/x", opened("../x"))
    attempt(root + "/a/x", opened("./.././x"))
    attempt(root + "/a/x", opened(root + "/a//x"))
    attempt(root + "/a/x/y", opened("../x/y"))
    attempt(root + "/a/x", lambda: openat2(a, "x", 0))
    attempt(root + "/jail/etc/x", lambda: openat2(jail, "/etc/x", 0x10))
    attempt(root + "/b/made", lambda: libc.creat((root + "/b/made").encode(), 0o600))
    pid = os.fork()
    if pid == 0:
        try: os.open("x", os.O_RDONLY)
        except OSError: pass
        os._exit(0)
    os.waitpid(pid, 0)
    truth[root + "/a/deep/x ENOENT"] = k + 1
os.rename(root + "/b", root + "/moved")
for k in range(7): attempt(root + "/moved/x", opened("x", dir_fd=b))
thread = threading.Thread(target=lambda: os.chdir(root + "/moved")); thread.start(); thread.join()
for k in range(9): attempt(root + "/moved/x", opened("x"))
os.chroot(root + "/jail"); os.chdir("/")
for k in range(5):
    attempt("/etc/x", opened("etc/x"))
    attempt("/etc/none", opened("/etc/none"))
tell(**truth)
"""
)


def counted(trace):
    found = Counter()
    for row in trace.rows:
        found[f"{row.what} {row.result}"] += row.count
    return found


def test_names_stand_below_the_folder_of_the_time_of_the_call(tmp_path):
    with working(_FOLDERS, tmp_path) as target, observing(opens, target.pid) as seen:
        truth = json.loads(target.go())
    trace = seen.trace
    found = counted(trace)
    assert not trace.partial, trace.problem
    assert {k: found[k] for k in truth} == truth
    # What Python opens by itself aside, nothing else stands there under these folders.
    others = [k for k in found if str(tmp_path) in k and k not in truth]
    assert others == []


_STORM = (
    _OPENS
    + """
near = len(sys.argv) > 2
folders = [root + "/t%d" % k for k in range(4)]
for folder in folders: os.mkdir(folder)
open(folders[3] + "/head.html", "w")
began = ready()
for k in range(100):
    for folder in folders if not near or k == 0 else folders[3:]:
        attempt(folder + "/head.html", opened(folder + "/head.html"))
if near: time.sleep(1.5)
tell(**truth)
"""
)


def test_a_name_that_is_missing_in_several_folders_is_said_once(tmp_path):
    with working(_STORM, tmp_path) as target, observing(opens, target.pid) as seen:
        truth = json.loads(target.go())
    found = counted(seen.trace)
    assert {k: found[k] for k in truth} == truth
    assert "300 failed: ENOENT 300" in seen.trace.says
    assert "head.html was not found in 3 folders (300 times), found in 1" in seen.trace.says


def test_a_search_at_the_beginning_is_no_storm(tmp_path):
    with working(_STORM, tmp_path, "near") as target, observing(opens, target.pid) as seen:
        target.go()
    assert "3 failed: ENOENT 3" in seen.trace.says
    assert "not found" not in seen.trace.says


_MANY = (
    _OPENS
    + """
ready()
for k in range(20000):
    try: os.open(root + "/cache/%d" % k, os.O_RDONLY)
    except OSError: pass
tell()
"""
)


def test_more_names_than_are_kept_are_counted_by_result(tmp_path):
    with (
        working(_MANY, tmp_path) as target,
        observing(opens, target.pid, max_overhead=100) as seen,
    ):
        target.go()
    trace = seen.trace
    assert sum(r.count for r in trace.rows if r.result == "ENOENT") >= 20000
    assert "failed: ENOENT 20,0" in trace.says
    assert f"names in {tmp_path}/cache were not found" in trace.says
    assert "opens are counted without their names" in trace.problem


def test_only_what_fails(tmp_path):
    with working(_STORM, tmp_path) as target, observing(opens, target.pid, failed=True) as seen:
        target.go()
    assert {r.result for r in seen.trace.rows if str(tmp_path) in r.what} == {"ENOENT"}


def test_nothing_opened(tmp_path):
    with working("ready()", tmp_path) as target:
        assert observe(opens, target.pid, for_s=0.5).says == "nothing was opened in 0.5 s"


@pytest.mark.parametrize(
    ("folder", "name", "path"),
    [
        ("/a/b", "../c", "/a/c"),
        ("/a/b", "./c/./d", "/a/b/c/d"),
        ("/a", "link/../c", "/a/link/../c"),
        ("/", "../../c", "/c"),
        ("…/b", "../../c", "…/../c"),
        ("/a", ".", "/a"),
    ],
)
def test_only_what_leads_upwards_at_the_beginning_is_resolved(folder, name, path):
    assert _traces.joined(folder, name) == path
