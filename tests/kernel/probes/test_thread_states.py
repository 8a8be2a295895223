"""The reader on real processes: what blocked threads wait for, and what cannot be read."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from locard.kernel import _thread_reader as _threads
from locard.kernel.probes import thread_states
from locard.model.evidence import Output
from locard.model.facts import Readings, ThreadStates
from locard.model.target import Context, Process, Target
from support import needs_root, run_probe

READER = Path(_threads.__file__)
PROGRAM = READER.read_bytes() + b"\n" + READER.with_name("_threads.py").read_bytes()


def context(*pids):
    processes = tuple(Process(p, 1, 0, 0.0, 0, "python3", ("python3",)) for p in pids)
    return Context(Target("pid/1", "pid", "1", "here", processes), pause_s=0.2)


def states_of(*pids):
    outputs, facts = run_probe(thread_states, context(*pids))
    found = [f for f in facts if isinstance(f, ThreadStates)]
    assert found, outputs
    return found[0], facts


def test_a_convoy_shares_one_futex(start):
    states, facts = states_of(start("lock_convoy.py").pid)
    assert states.rounds == thread_states.DEFAULTS.rounds
    assert not states.missed
    waiting = Counter((s.round, s.futex) for s in states.states if s.syscall == "futex")
    assert max(waiting.values()) >= 4
    (_, address), _ = waiting.most_common(1)[0]
    assert {s.futex_in for s in states.states if s.futex == address} <= {"[heap]", "anonymous"}
    assert any(s.waits_for and s.waits_for.startswith("unix") for s in states.states)
    readings = [r for f in facts if isinstance(f, Readings) for r in f.readings]
    assert {r.name for r in readings} == {"process.io.calls"}


@pytest.mark.parametrize("way", ["recv", "poll"])
def test_the_far_end_is_named(start, way):
    program = start("slow_peer.py", way)
    states, _ = states_of(program.pid)
    peers = Counter(s.peer for s in states.states if s.peer)
    assert peers == {f"127.0.0.1:{program.line.strip()}": 4 * states.rounds}
    calls = {s.syscall for s in states.states if s.peer}
    assert calls <= ({"recvfrom", "read"} if way == "recv" else {"poll", "ppoll"})


SELECTS = """
import os, select, socket, threading, time
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
reader, writer = os.pipe()
poller = select.epoll()
poller.register(reader, select.EPOLLIN)
poller.register(client.fileno(), select.EPOLLIN)
for call in (
    lambda: select.select([reader], [], []),
    lambda: poller.poll(),
    lambda: os.read(reader, 1),
    lambda: select.select([client], [], []),
):
    threading.Thread(target=call, daemon=True).start()
def spin():
    while True:
        pass
threading.Thread(target=spin, daemon=True).start()
print(client.getpeername()[1], flush=True)
time.sleep(60)
"""


def test_select_epoll_pipes_and_running_threads(start):
    program = start("-c", SELECTS)
    states, _ = states_of(program.pid)
    peer = f"127.0.0.1:{program.line.strip()}"
    last = [s for s in states.states if s.round == states.rounds - 1]
    assert {s.waits_for for s in last if s.syscall == "read"} == {"pipe"}
    selects = {(s.waits_for, s.peer) for s in last if s.syscall in {"select", "pselect6"}}
    assert ("pipe", None) in selects
    assert any(p == peer for _, p in selects)
    assert any(s.syscall.startswith("epoll") and "pipe" in s.waits_for for s in last if s.syscall)
    assert any(s.state == "R" for s in states.states)


@needs_root
def test_root_sees_kernel_stacks(start):
    states, _ = states_of(start("idle_pool.py").pid)
    if not any(s.kernel_stack for s in states.states):
        pytest.skip("this kernel shows no /proc/PID/stack")
    assert any("futex" in frame for s in states.states for frame in s.kernel_stack)


def test_a_process_that_has_ended_is_missed_and_the_rest_is_read(start):
    ended = start("-c", "print('bye', flush=True)")
    ended.wait()
    states, _ = states_of(ended.pid, start("idle_pool.py").pid)
    assert states.missed == (f"pid {ended.pid}: it has ended",)
    assert states.states


SYSTEM_PYTHON = Path("/usr/bin/python3")  # which other users may run as well


@needs_root
@pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason=f"no {SYSTEM_PYTHON}")
def test_without_the_permission_it_says_which_one(start):
    program = start("idle_pool.py")
    done = subprocess.run(
        [SYSTEM_PYTHON, "-I", "-S", "-", "1", "0.1", str(program.pid)],
        input=PROGRAM,
        capture_output=True,
        check=True,
        user=65534,
        cwd="/",
    )
    (fact,) = thread_states.read([Output(("python3",), done.stdout)])
    assert any("CAP_SYS_PTRACE" in m for m in fact.missed)
    assert fact.partial
    assert "CAP_SYS_PTRACE" in fact.problem
    assert fact.states, "state and name are readable by all"


def test_many_threads_are_sampled(capsys, start):
    program = start("idle_pool.py")
    names = {"__name__": "reader"}
    exec(PROGRAM, names)
    names["MAX_THREADS"] = 4
    assert names["main"](["3", "0", str(program.pid)]) == 0
    (fact,) = thread_states.read([Output(("python3",), capsys.readouterr().out.encode())])[:1]
    assert fact.rounds == 3
    assert max(Counter(s.round for s in fact.states).values()) <= 4
    assert len({s.tid for s in fact.states}) > 4, "each round takes other threads"
    assert "one thread in 3 was read" in fact.missed[0]


def test_the_reader_runs_on_python_3_6():
    """The grammar is checked here; `Limits` of what it imports is the standard library."""
    ast.parse(READER.read_text("utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("0100007F:1F90", "127.0.0.1:8080"),
        ("00000000000000000000000001000000:01BB", "[::1]:443"),
        ("0000000000000000FFFF00000100007F:0050", "127.0.0.1:80"),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason="recorded on a little-endian machine")
def test_addresses(raw, shown):
    assert _threads.address(raw) == shown


def test_zeroed_data_of_the_interpreter_is_told_from_other_memory():
    maps = _threads.parse_maps(
        "1000-2000 rw-p 00003000 fe:00 18500      /usr/bin/python3.11\n"
        "2000-3000 rw-p 00000000 00:00 0 \n"
        "3000-4000 rw-p 00000000 00:00 0          [heap]\n"
        "5000-6000 rw-p 00000000 00:00 0 \n"
        "rubbish\n"
    )
    assert [name for _, _, name in maps] == [
        "/usr/bin/python3.11",
        "/usr/bin/python3.11 (zeroed data)",
        "[heap]",
        "anonymous",
    ]


def test_syscall_names_are_known_for_both_machines():
    for machine in ("x86_64", "aarch64"):
        names = _threads.syscall_names(machine)
        assert {"futex", "ppoll", "read", "fsync", "connect", "epoll_pwait2"} <= set(names.values())
    assert _threads.syscall_names("vax") == {}
    assert _threads.syscall_names(os.uname().machine)[202 if os.uname().machine == "x86_64" else 98]


def test_tiny_and_frequent_calls_are_a_warning():
    (fact,) = [f for f in thread_states.read(thread_states.SAMPLES[0].outputs) if
               isinstance(f, Readings)]  # fmt: skip
    assert [r.verdict for r in fact.readings] == ["warning", "ok"]


def test_it_needs_processes():
    assert thread_states.applies(context()) is not None
