"""The live watches of a machine: what is no agent of ours is none, what is one is told. See also test_watch.py."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys

import pytest

from locard.far import python_thread
from locard.model.evidence import Output
from locard.runtime.python import watches
from watch_here import begin, program, wait_for


def test_lines_that_are_broken_are_passed_over():
    output = Output(argv=("list",), stdout=b'{"agent":{"pid":1}}\nnonsense\n{"end":"listed"}\n')
    (fact,) = watches.read([output])
    assert fact.probes == ()


def test_memory_that_only_looks_like_an_agent_is_none(locard):
    room = mmap.mmap(-1, 65 * 4096)
    with program() as target:
        watching = begin(target.pid, "__main__:pay", seconds=60.0, stats=True)
        wait_for(watching, lambda r: r.get("ev") == "on")
        listed = json.loads(locard("watch", "--list", "-o", "json", "-q").stdout)
        (fact,) = [f for e in listed["evidence"] for f in e["facts"]]
        # Other tests may watch on this machine, too.
        assert target.pid in [p["pid"] for p in fact["probes"] if p["by"] == "tester"]
        assert os.getpid() not in [p["pid"] for p in fact["probes"]]
        watching.kill()
        watching.wait()
        watching.stdout.close()
    room.close()


POSES = """
import ctypes, struct, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
at, fixed = 0x20000000000, 0x22 | 0x10
code, data = libc.mmap(at, 4096, 3, fixed, -1, 0), libc.mmap(at + 4096, 64 * 4096, 3, fixed, -1, 0)
ctypes.memmove(code, bytes.fromhex(sys.argv[1]), len(sys.argv[1]) // 2)
libc.mprotect(code, 4096, 5)
for place, raw in ((256, sys.argv[2].encode()), (104, struct.pack("<d", float(sys.argv[3])))):
    ctypes.memmove(data + place, raw, len(raw))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("expires", ["9e15", "nan", "-1e300", "1e308"])
def test_a_page_that_poses_as_an_agent_breaks_no_list(locard, expires):
    assert (python_thread.Mail.ABOUT, python_thread.Mail.EXPIRES) == (256, 104)
    about = json.dumps({"spec": ["a:b"], "by": "whoever"})
    process = subprocess.Popen(
        [sys.executable, "-c", POSES, python_thread.CODE_MAGIC.hex(), about, expires],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    done = locard("watch", "--list", f"pid/{process.pid}", "-q")
    assert f"pid {process.pid}: a:b  by whoever" in done.stdout, done.stderr
    assert "when it expires is not told" in done.stdout
    process.communicate()
