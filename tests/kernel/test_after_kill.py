"""After a kill -9 of locard nothing of it stays in the kernel, whatever it had attached.

Programs and links are found where the kernel shows them: by number, through bpf(2). LOCARD_ROUNDS: how often.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from observing_support import has_attached, run_to_end, working

from support import is_alive, wait_until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: to see what the kernel has loaded"
)

_ROUNDS = int(os.environ.get("LOCARD_ROUNDS", "20"))
_BPF = {"x86_64": 321, "aarch64": 280}.get(os.uname().machine, 0)
_NEXT_PROGRAM, _NEXT_LINK = 11, 31  # BPF_PROG_GET_NEXT_ID, BPF_LINK_GET_NEXT_ID
_libc = ctypes.CDLL(None, use_errno=True)


def _numbers(command: int) -> set[int]:
    """The numbers of all programs or links of the kernel."""
    found, attributes = set(), (ctypes.c_uint32 * 4)()
    while _libc.syscall(_BPF, command, attributes, ctypes.sizeof(attributes)) == 0:
        found.add(attributes[1])
        attributes[0] = attributes[1]
    if ctypes.get_errno() != errno.ENOENT:
        pytest.skip(f"bpf(2): {os.strerror(ctypes.get_errno())}")
    return found


def loaded() -> set[tuple[str, int]]:
    """All programs and links."""
    return {("program", n) for n in _numbers(_NEXT_PROGRAM)} | {
        ("link", n) for n in _numbers(_NEXT_LINK)
    }


def held_by(pid: int) -> set[tuple[str, int]]:
    """Programs and links that a process holds."""
    found = set()
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # it was of one pass of an iterator
            for line in info.read_text().splitlines():
                name, _, number = line.partition(":")
                if name in {"prog_id", "link_id"}:
                    found.add(("program" if name == "prog_id" else "link", int(number)))
    return found


_WORK = """
lock = threading.Lock()
def holds():
    while True:
        with lock: time.sleep(0.001)
threading.Thread(target=holds, daemon=True).start()
ready()
while True:
    os.close(os.open("/etc/hostname", os.O_RDONLY))
    bytearray(70000)
    with lock: time.sleep(0.0005)
"""
_KINDS = {
    "tracepoints": ("syscalls",),
    "iterators": ("waits",),
    "uprobes": ("libcalls", "-e", "malloc+free"),
    "clock": ("trace", "cpu-profile"),
    "typed tracepoints and iterators of files": ("trace", "tcp-retransmits"),
}


def _all_below(pid: int) -> set[int]:
    above = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                above[int(entry.name)] = int(
                    (entry / "stat").read_bytes().rpartition(b")")[2].split()[1]
                )
    found = {pid}
    while more := {child for child, of in above.items() if of in found} - found:
        found |= more
    return found - {pid}


def _reader(pid: int) -> int:
    """The reader below locard, once it has attached everything; 0 before."""
    return next(filter(has_attached, _all_below(pid)), 0)


def _probe_pages(pid: int) -> list[str]:
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return sorted(line.split(None, 5)[5] for line in maps if "[uprobes" in line)


@pytest.fixture(scope="module")
def permitted():
    """Nobody may load a program here: then there is nothing to stay."""
    with working("ready()") as target:
        fact = run_to_end("trace", "opens", f"pid/{target.pid}", "--for", "0.2s").fact
    if fact["fact"] == "NotObserved":
        pytest.skip(f"eBPF: {fact['why']}")


@pytest.mark.timeout(60 + 6 * _ROUNDS)
@pytest.mark.parametrize("kind", _KINDS)
def test_nothing_stays_after_kill_9(kind, tmp_path, permitted):
    with working(_WORK) as target:
        pages = set()
        for k in range(_ROUNDS):
            before = loaded()
            locard = subprocess.Popen(
                [sys.executable, "-m", "locard", *_KINDS[kind], f"pid/{target.pid}", "--for", "60s",
                 "--state", tmp_path, "-q"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            wait_until(lambda: locard.poll() is not None or _reader(locard.pid))  # noqa: B023 - of this round
            assert locard.poll() is None, locard.stderr.read()
            reader, far = _reader(locard.pid), _all_below(locard.pid)
            mine = {x for x in loaded() - before if x in held_by(reader)}
            assert any(what == "program" for what, _ in mine), (
                "the control: it had loaded something"
            )
            time.sleep(0.01 * (k % 10))  # at another moment of its looks each time
            os.kill(locard.pid, signal.SIGKILL)
            locard.communicate()
            wait_until(lambda: not any(map(is_alive, far)), 10.0)  # noqa: B023 - of this round
            wait_until(lambda: not mine & loaded(), 10.0)  # noqa: B023 - of this round
            pages.add(tuple(_probe_pages(target.pid)))
        assert is_alive(target.pid)
        if kind == "uprobes":
            assert len(pages) == 1, f"the pages of probes grow: {pages}"
        else:
            assert pages == {()}
