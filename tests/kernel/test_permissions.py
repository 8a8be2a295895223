"""What works without each capability and as an ordinary user, and what is said to be missing.

locard runs as root without some capabilities (their bounding set is taken away), beside a control with all.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from observing_support import asking, run_to_end, working

from support import Locard, wait_until

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to take capabilities away"),
    pytest.mark.skipif(not shutil.which("setpriv"), reason="setpriv is not installed"),
]

_OPENS = """
ready()
for k in range(37):
    os.close(os.open("/etc/hostname", os.O_RDONLY))
tell()
"""
_ALLOCATES = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
ready()
for k in range(23): libc.malloc(77777)
tell()
"""


def without(*capabilities: str) -> tuple[str, ...]:
    """What a command is put behind to run without some capabilities."""
    return (
        ("setpriv", "--bounding-set", ",".join(f"-{c}" for c in capabilities))
        if capabilities
        else ()
    )


def opens_of(*prefix: str):
    """The one fact of `locard trace opens` on a workload that opens a file 37 times."""
    with working(_OPENS) as target:
        with asking("trace", "opens", f"pid/{target.pid}", "--for", "30s", prefix=prefix) as asked:
            target.go()
            target.close()
        return asked.fact


def counted(fact) -> int:
    return sum(
        r["count"] for r in fact["rows"] if r["what"] == "/etc/hostname" and r["result"] == "ok"
    )


@pytest.fixture(scope="module")
def control():
    """With all capabilities it counts: else nothing can be said about one of them."""
    fact = opens_of()
    if fact["fact"] == "NotObserved":
        pytest.skip(f"eBPF: {fact['why']}")
    assert counted(fact) == 37


@pytest.mark.parametrize(
    "lacking", [("sys_admin",), ("bpf",), ("perfmon",), ("bpf", "perfmon"), ("sys_ptrace",), ("sys_resource",)]
)  # fmt: skip
def test_tracepoints_work_without(lacking, control):
    """CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, and they for it."""
    fact = opens_of(*without(*lacking))
    assert fact["fact"] == "Trace", fact
    assert counted(fact) == 37
    assert fact["observed"]["lost"] == []


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        (("sys_admin", "bpf"), "CAP_BPF"),
        (("sys_admin", "perfmon"), "CAP_PERFMON"),
        (("sys_admin", "bpf", "perfmon"), "CAP_BPF and CAP_PERFMON"),
    ],
)
@pytest.mark.parametrize(
    "words",
    [("trace", "opens"), ("syscalls",), ("libcalls", "-e", "malloc"), ("trace", "cpu-profile")],
    ids=" ".join,
)
def test_a_refusal_names_what_is_missing_and_nothing_else(words, lacking, named, control):
    with working(_OPENS) as target:
        said = run_to_end(*words, f"pid/{target.pid}", "--for", "1s", prefix=without(*lacking))
    fact = said.fact
    assert fact["fact"] == "NotObserved", fact
    assert fact["why"].endswith("not permitted (EPERM)")
    assert fact["unlock"].startswith(f"it takes {named}, which root lacks here")
    assert "RLIMIT" not in fact["why"] + fact["unlock"]
    assert said.document["exit_code"] == 4


_WAITS = """
import threading
near, far = socket.socketpair()
listening = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=listening.accept, daemon=True, name="takes").start()
lock = threading.Lock(); lock.acquire()
threading.Thread(target=lock.acquire, daemon=True, name="locked").start()
ready(listening.getsockname()[1])
"""


def test_waits_tells_states_without_ebpf(control):
    with working(_WAITS) as target:
        words = ("waits", f"pid/{target.pid}", "--for", "1s")
        able = run_to_end(*words).fact
        less = run_to_end(*words, prefix=without("sys_admin", "bpf")).fact
    assert able["observed"]["engine"].startswith("eBPF")
    assert not any("instead" in word for word in able["observed"]["blind"])
    assert less["observed"]["engine"] == "/proc"
    (why,) = (word for word in less["observed"]["blind"] if "looked at /proc instead" in word)
    assert "it takes CAP_BPF, which root lacks here" in why
    for fact in (able, less):
        found = {t["call"]: t for t in fact["threads"]}
        assert {"accept4", "futex", "read"} <= set(found), found
        assert all(t["state"] == "S" for t in found.values())
        assert found["accept4"]["what"].endswith(f"127.0.0.1:{target.line}")
        assert found["accept4"]["share"] > 0.9
    assert 1.0 <= less["hz"] <= 21.0
    assert less["looks"] >= 2


def test_waits_says_that_descriptors_are_closed_to_it(control):
    """The target has a capability that we lack, so its descriptors are none of our business."""
    with working(_WAITS) as target:
        words = ("waits", f"pid/{target.pid}", "--for", "1s")
        able = run_to_end(*words).fact
        less = run_to_end(*words, prefix=without("sys_ptrace")).fact
    closed = f"process {target.pid}: its descriptors and memory cannot be read"
    assert not any(word.startswith(closed) for word in able["observed"]["blind"])
    (why,) = (word for word in less["observed"]["blind"] if word.startswith(closed))
    assert why.endswith("run as root with CAP_SYS_PTRACE, or as its user")
    assert {t["call"] for t in less["threads"]} == {t["call"] for t in able["threads"]}


def test_functions_are_attached_to_without_sys_ptrace(control):
    """A file that we have as well is the same file."""
    for lacking in ((), ("sys_ptrace",), ("sys_admin",)):
        with working(_ALLOCATES) as target:
            words = ("libcalls", "-e", "malloc", f"pid/{target.pid}", "--for", "30s")
            with asking(*words, prefix=without(*lacking)) as asked:
                target.go()
                target.close()
        fact = asked.fact
        if fact["fact"] == "NotObserved" and "sys_admin" in lacking:
            assert "CAP_SYS_ADMIN" in fact["unlock"]  # a kernel without uprobe_multi
            continue
        assert fact["fact"] == "Trace", fact
        assert sum(r["bytes"] for r in fact["rows"] if r["bytes"]) >= 23 * 77777


def test_files_that_cannot_be_read_are_no_files_without_the_function(control, tmp_path):
    busybox = shutil.which("busybox", path=os.environ["PATH"] + ":/usr/sbin")
    if busybox is None:
        pytest.skip("busybox is not installed")
    script = f"mount -t tmpfs tmpfs {tmp_path}; cp {busybox} {tmp_path}/busybox; exec {tmp_path}/busybox sleep 60"
    with subprocess.Popen(["unshare", "-m", "sh", "-c", script]) as target:
        try:
            wait_until(lambda: Path(f"/proc/{target.pid}/exe").readlink() == tmp_path / "busybox")
            words = ("libcalls", "-e", "malloc", f"pid/{target.pid}", "--for", "1s")
            able = run_to_end(*words).fact
            less = run_to_end(*words, prefix=without("sys_ptrace")).fact
        finally:
            target.kill()
    assert "no file that is mapped has it" in able["why"]
    assert less["why"] == f"the files that process {target.pid} has mapped cannot be read"
    assert less["unlock"].startswith("run as root with CAP_SYS_PTRACE")


def capabilities_of(*prefix: str) -> dict[str, dict]:
    """What `locard doctor` says, by name."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "locard", "doctor", "-o", "json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return {c["name"]: c for c in json.loads(done.stdout)["capabilities"]}


_TRACING = ("eBPF tracepoints", "eBPF iterators", "eBPF uprobes", "eBPF CPU clock")


@pytest.mark.parametrize(
    ("lacking", "named"),
    [(("bpf",), "CAP_BPF"), (("perfmon",), "CAP_PERFMON"), (("bpf", "perfmon"), "CAP_BPF and CAP_PERFMON")],
)  # fmt: skip
def test_doctor_explains_each_no(lacking, named, control):
    able, less = capabilities_of(), capabilities_of(*without("sys_admin", *lacking))
    for name in _TRACING:
        assert able[name]["works"], able[name]
        assert not less[name]["works"]
        assert less[name]["detail"].endswith("not permitted (EPERM)")
        assert less[name]["get"].startswith(f"it takes {named}, which root lacks here")


@pytest.mark.parametrize("lacking", [("sys_admin",), ("sys_ptrace",), ("sys_resource",)])
def test_doctor_finds_nothing_missing_where_nothing_is(lacking, control):
    less = capabilities_of(*without(*lacking))
    for name in _TRACING:
        many = "CAP_SYS_ADMIN" in less[name]["get"]  # functions, on a kernel without uprobe_multi
        assert less[name]["works"] or (name == "eBPF uprobes" and many), less[name]


def test_root_of_a_user_namespace_is_told_that_it_is_none(control):
    """It has every capability, and the kernel takes no program of it."""
    inside = ("unshare", "--user", "--map-root-user")
    if subprocess.run([*inside, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    less = capabilities_of(*inside)
    for name in _TRACING:
        assert not less[name]["works"]
        assert "user namespace" in less[name]["get"]
        assert "CAP_" not in less[name]["get"]


class Elsewhere:
    """locard at a host of `network`, as its ordinary user."""

    def __init__(self, network):
        self._environment = {**os.environ, "PATH": f"{network.folder}:{os.environ['PATH']}"}

    def json(self, *words):
        return Locard().json(*words, env=self._environment)

    def facts(self, *words):
        return [f for e in self.json(*words)["evidence"] for f in e["facts"]]


@pytest.fixture(scope="module")
def host(network):
    setup = (
        "setpriv --reuid oncall --regid oncall --clear-groups sleep 1000 & echo $! > /run/mine; "
        "sleep 2000 & echo $! > /run/roots"
    )
    network.host("permitted", setup=setup)
    return network


@pytest.mark.parametrize("whose", ["mine", "roots"])
def test_an_ordinary_user_is_told_states_and_what_is_missing(host, whose, control):
    pid = host.inside("permitted", "cat", f"/run/{whose}", text=True).stdout.strip()
    there = Elsewhere(host)
    target = (f"pid/{pid}", "--on", "host/permitted", "--for", "1s")
    (waits,) = there.facts("waits", *target)
    (thread,) = waits["threads"]
    assert (thread["state"], thread["thread"], thread["share"]) == ("S", "sleep", 1.0)
    words = " ".join(waits["observed"]["blind"])
    assert "it takes CAP_BPF and CAP_PERFMON, which root has" in words
    if whose == "mine":
        assert thread["doing"] == "sleeps"
        assert "cannot be read" not in words
    else:
        assert f"process {pid}: its descriptors and memory cannot be read" in words
    (opens,) = there.facts("trace", "opens", *target)
    assert opens["fact"] == "NotObserved"
    assert opens["unlock"].startswith("it takes CAP_BPF and CAP_PERFMON, which root has")


def test_doctor_at_a_host_as_an_ordinary_user(host, control):
    found = {c["name"]: c for c in Elsewhere(host).json("doctor", "host/permitted")["capabilities"]}
    for name in _TRACING:
        assert not found[name]["works"]
        assert found[name]["get"].startswith("it takes CAP_BPF and CAP_PERFMON, which root has")
    as_root = capabilities_of()
    assert all(as_root[name]["works"] for name in _TRACING)
