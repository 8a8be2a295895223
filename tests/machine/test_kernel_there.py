"""The kernel wing over ssh on another kernel: counts against the target's own, and what an ordinary user is told."""

from __future__ import annotations

import json

import pytest

from machine_lab import needs_machine

pytestmark = needs_machine

# Waits for /run/counts.go, does what it counts in a thread, writes how much it was, and ends.
COUNTS = """
import ctypes, json, os, socket, threading, time
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
listening = socket.create_server(("127.0.0.1", 0))
address, told = listening.getsockname(), {}
closed = socket.socket(); closed.bind(("127.0.0.1", 0))
def work():
    told["tid"] = threading.get_native_id()
    for k in range(41): os.close(os.open("/etc/hostname", os.O_RDONLY))
    for k in range(7):
        try: os.open("/nowhere/there", os.O_RDONLY)
        except OSError: pass
    for k in range(11): socket.create_connection(address).close()
    for k in range(5):
        try: socket.create_connection(closed.getsockname())
        except OSError: pass
    for k in range(19): libc.malloc(77777)
threading.Thread(target=lambda: socket.create_server(("127.0.0.1", 0)).accept(), daemon=True).start()
lock = threading.Lock(); lock.acquire()
threading.Thread(target=lock.acquire, daemon=True).start()
open("/run/counts.ready", "w").write(json.dumps({"pid": os.getpid(), "port": address[1], "closed": closed.getsockname()[1]}))
while not os.path.exists("/run/counts.go"): time.sleep(.05)
thread = threading.Thread(target=work); thread.start(); thread.join()
open("/run/counts.done", "w").write(json.dumps(told))
time.sleep(2)
"""


@pytest.fixture
def counts(machine):
    """The target: what it says of itself."""
    machine.root("rm -f /run/counts.*")
    machine.unit("counts", COUNTS)
    yield json.loads(
        machine.root("until [ -s /run/counts.ready ]; do sleep .1; done; cat /run/counts.ready")
    )
    machine.root("systemctl stop counts; rm -f /run/counts.*")


def facts(document):
    return [fact for e in document["evidence"] for fact in e["facts"]]


def seen(machine, *words):
    """The one fact of a question that is asked while the target does what it counts, and what it did."""
    with machine.asking(*words, "unit/counts", "--on", "host/vm", "--for", "60s") as said:
        done = machine.root("touch /run/counts.go; until [ -s /run/counts.done ]; do sleep .1; done; cat /run/counts.done")  # fmt: skip
    (fact,) = facts(said)
    assert fact["fact"] != "NotObserved", fact
    assert fact["observed"]["lost"] == []
    return fact, json.loads(done)


def test_opens(machine, counts):
    fact, _ = seen(machine, "trace", "opens")
    found = {(r["what"], r["result"]): r["count"] for r in fact["rows"]}
    assert found["/etc/hostname", "ok"] == 41
    assert found["/nowhere/there", "ENOENT"] == 7


def test_system_calls(machine, counts):
    fact, told = seen(machine, "syscalls")
    found = {r["what"]: r for r in fact["calls"]}
    assert (found["connect"]["count"], found["connect"]["errors"]) == (16, 5)
    assert found["openat"]["errors"] >= 7
    assert told["tid"] in {t["tid"] for t in fact["threads"]}


def test_connects(machine, counts):
    fact, _ = seen(machine, "trace", "tcp-connect-latency")
    found = {(r["what"], r["result"]): r["count"] for r in fact["rows"]}
    assert found[f"127.0.0.1:{counts['port']}", "ok"] == 11
    assert found[f"127.0.0.1:{counts['closed']}", "ECONNREFUSED"] == 5


def test_library_calls(machine, counts):
    """The kernel's own way to attach many functions, or one by one where it has none."""
    fact, _ = seen(machine, "libcalls", "-e", "malloc")
    assert sum(r["bytes"] or 0 for r in fact["rows"]) >= 19 * 77777
    bars = [b for h in fact["histograms"] if h["unit"] != "s" for b in h["slots"]]
    assert any(b["least"] <= 77777 < b["below"] and b["count"] >= 19 for b in bars), bars


def test_waits(machine, counts):
    """On every kernel by eBPF: by one call a look, or by an iterator before 6.7."""
    words = ("waits", "unit/counts", "--on", "host/vm", "--for", "3s")
    (fact,) = facts(machine.json(*words))
    assert fact["observed"]["engine"].startswith("eBPF"), fact["observed"]
    found = {t["call"]: t for t in fact["threads"]}
    assert {"accept4", "futex", "clock_nanosleep"} <= set(found), found
    assert found["accept4"]["share"] > 0.9
    assert found["accept4"]["doing"] == "waits for"
    assert {t["pid"] for t in fact["threads"]} == {counts["pid"]}


_TRACING = ("eBPF tracepoints", "eBPF iterators", "eBPF uprobes", "eBPF CPU clock")


def capabilities(machine, place):
    return {c["name"]: c for c in machine.json("doctor", place)["capabilities"]}


def test_doctor_finds_what_this_kernel_takes(machine):
    """Kprobes and fentry, too, which the kernels of some sandboxes refuse."""
    kernel = machine.root("uname -r").strip()
    found = capabilities(machine, "host/vm")
    for name in (*_TRACING, "eBPF kprobes", "eBPF fentry"):
        assert found[name]["works"], found[name]
        assert f"loaded and attached on kernel {kernel}" in found[name]["detail"]


def test_an_ordinary_user_is_told_what_is_missing(machine, counts):
    """What needs no permission works; the rest says which one it is."""
    found = capabilities(machine, "host/oncall@vm")
    for name in _TRACING:
        assert not found[name]["works"]
        assert "not permitted (EPERM)" in found[name]["detail"]
        assert found[name]["get"].startswith("it takes CAP_BPF and CAP_PERFMON, which root has")
    machine.root("systemd-run --unit mine --uid oncall sleep 1000")
    try:
        pid = machine.root("systemctl show -P MainPID mine").strip()
        mine = ("--on", "host/oncall@vm", "--for", "2s")
        (waits,) = facts(machine.json("waits", f"pid/{pid}", *mine))
        (thread,) = waits["threads"]
        assert (thread["state"], thread["doing"], thread["share"]) == ("S", "sleeps", 1.0)
        assert any("it takes CAP_BPF and CAP_PERFMON" in w for w in waits["observed"]["blind"])
        (opens,) = facts(machine.json("trace", "opens", f"pid/{pid}", *mine))
        assert opens["fact"] == "NotObserved"
        assert opens["unlock"].startswith("it takes CAP_BPF and CAP_PERFMON, which root has")
        (others,) = facts(machine.json("waits", f"pid/{counts['pid']}", *mine))
        assert {t["state"] for t in others["threads"]} <= {"S", "R"}
        assert any(
            f"process {counts['pid']}: its descriptors and memory cannot be read" in w
            for w in others["observed"]["blind"]
        )
    finally:
        machine.root("systemctl stop mine")
