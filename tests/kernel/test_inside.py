"""Observed from within a pid namespace, and from outside of one: the numbers are those of who looks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from observing_support import asking, working

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces of its own")

# What is counted, in a thread whose number inside is not that outside.
_WORK = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
listening = socket.create_server(("127.0.0.1", 0))
told = {}
def work():
    told["tid"] = threading.get_native_id()
    for k in range(41):
        os.close(os.open("/etc/hostname", os.O_RDONLY))
    for k in range(11):
        socket.create_connection(listening.getsockname()).close()
    for k in range(19): libc.malloc(77777)
    time.sleep(1.5)  # so that its name is seen
def waits():
    told["waits"] = threading.get_native_id()
    os.read(os.pipe()[0], 1)
threading.Thread(target=waits, daemon=True).start()
while "waits" not in told: time.sleep(0.001)
ready(json.dumps({"pid": os.getpid(), "waits": told["waits"], "port": listening.getsockname()[1]}))
thread = threading.Thread(target=work); thread.start(); thread.join()
tell(**told)
sys.stdin.readline()
"""
_INSIDE = ("unshare", "--pid", "--fork", "--kill-child")
_QUESTIONS = (
    ("trace", "opens"),
    ("syscalls",),
    ("trace", "tcp-connect-latency"),
    ("libcalls", "-e", "malloc"),
)


def _counted(words, fact, port):
    """How often the work was seen by each question."""
    if words[-1] == "opens":
        return sum(r["count"] for r in fact["rows"] if r["what"] == "/etc/hostname")
    if words == ("syscalls",):
        return sum(r["count"] for r in fact["calls"] if r["what"] == "connect")
    if words[0] == "libcalls":
        return sum(r["count"] for r in fact["rows"] if (r["bytes"] or 0) >= 19 * 77777)
    return sum(r["count"] for r in fact["rows"] if r["what"] == f"127.0.0.1:{port}" and r["result"] == "ok")  # fmt: skip


def _tids(value):
    """Every thread number in a fact."""
    if isinstance(value, dict):
        own = {value["tid"]} if value.get("tid") else set()
        return own | _tids(list(value.values()))
    return set().union(*map(_tids, value)) if isinstance(value, list) else set()


def _check_counts(words, fact, port):
    if fact["fact"] == "NotObserved" and "CAP_" in fact["unlock"]:
        pytest.skip(f"eBPF: {fact['why']}")
    assert fact["fact"] != "NotObserved", fact
    expected = {"opens": 41, "syscalls": 11, "tcp-connect-latency": 11, "malloc": 19}[words[-1]]
    seen = _counted(words, fact, port)
    assert seen >= expected if words[0] == "libcalls" else seen == expected, fact
    assert fact["observed"]["lost"] == []


@pytest.mark.parametrize("words", _QUESTIONS, ids=" ".join)
def test_from_outside_a_thread_is_called_by_both_numbers(words):
    with working(_WORK, prefix=(*_INSIDE, "--mount-proc")) as workload:
        target = json.loads(workload.line)
        pid = int(Path(f"/proc/{workload.pid}/task/{workload.pid}/children").read_text())
        with asking(*words, f"pid/{pid}", "--for", "6s") as asked:
            truth = json.loads(workload.go())
            workload.close()
    fact = asked.fact
    _check_counts(words, fact, target["port"])
    assert target["pid"] == 1
    assert 1 not in _tids(fact)
    if words == ("syscalls",):
        names = {t["thread"] for t in fact["threads"]}
        assert any(f"(tid {truth['tid']} inside)" in name for name in names), names


_ASKS = """
import json, sys
from observing_support import asking, working
words, work = json.loads(sys.argv[1]), sys.argv[2]
with working(work) as workload:
    target = json.loads(workload.line)
    with asking(*words, "pid/%d" % workload.pid, "--for", "6s") as asked:
        truth = json.loads(workload.go())
        if words[0] != "waits": workload.close()
    print(json.dumps({"target": target, "truth": truth, "document": asked.document}))
"""


def _inside(code, *argv, more=()):
    """Run a program of Python in a pid namespace of its own; the JSON that it prints."""
    here = Path(__file__).parent
    paths = f"import sys; sys.path[:0] = {[str(here), str(here.parent)]!r}\n"
    done = subprocess.run(
        [*_INSIDE, *more, sys.executable, "-c", paths + code, *argv],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


def _facts(document):
    return [fact for e in document["evidence"] for fact in e["facts"]]


def _from_inside(*words):
    found = _inside(_ASKS, json.dumps(words), _WORK, more=("--mount-proc",))
    (fact,) = _facts(found["document"])
    return found["target"], found["truth"], fact


@pytest.mark.parametrize("words", _QUESTIONS, ids=" ".join)
def test_from_inside_the_numbers_are_those_inside(words):
    target, truth, fact = _from_inside(*words)
    _check_counts(words, fact, target["port"])
    assert target["pid"] < 100, "it runs in a namespace of its own"
    tids = _tids(fact)
    assert all(tid < 1000 for tid in tids), tids
    if words == ("syscalls",):
        assert truth["tid"] in tids
        assert not any("inside" in t["thread"] for t in fact["threads"])


def test_waits_from_inside():
    target, _, fact = _from_inside("waits")
    assert fact["observed"]["engine"].startswith("eBPF"), fact["observed"]
    (reads,) = (t for t in fact["threads"] if t["tid"] == target["waits"] and t["call"] == "read")
    assert reads["share"] > 0.9
    assert reads["pid"] == target["pid"]
    assert "inside" not in reads["thread"]


def test_a_proc_of_another_namespace_is_refused():
    """Its numbers are none of ours: whoever has them would be looked at in the target's place."""
    code = (
        "import json\n"
        "from observing_support import run_to_end\n"
        "print(json.dumps([run_to_end(*w, 'pid/1', '--for', '0.5s').document for w in"
        " (('trace', 'opens'), ('waits',))]))\n"
    )
    (opens,), (waits,) = map(_facts, _inside(code))
    assert opens["fact"] == "NotObserved"
    assert (
        opens["why"] == "/proc shows another pid namespace than the one that locard runs in there"
    )
    assert "--pid host" in opens["unlock"]
    assert waits["observed"]["engine"] == "/proc"
