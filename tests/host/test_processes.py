"""Real families: a child that ends or begins meanwhile, and one that is not reaped."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace

import pytest

import here
from locard.host import processes
from locard.model.target import Context
from support import children_of, run_probe, wait_until

FAMILY = """
import os, sys, time
def child():
    pid = os.fork()
    if not pid:
        time.sleep(300)
        os._exit(0)
    return pid
first = child()
print(first, flush=True)
for line in sys.stdin:
    if line.strip() == "fork": print(child(), flush=True)
"""


def family_of(context):
    _, facts = run_probe(processes, context)
    (family,) = facts
    return family


def test_a_child_that_ends_and_one_that_begins_are_changes(start):
    parent = start("-c", FAMILY, stdin=subprocess.PIPE, start_new_session=True)
    child = int(parent.line)
    before = here.find(f"pid/{parent.pid}")
    calm = family_of(Context(before, first=before))
    assert calm.changes == ()
    assert {p.pid for p in calm.processes} == {parent.pid, child}
    os.kill(child, signal.SIGKILL)
    parent.stdin.write("fork\n")
    parent.stdin.flush()
    fresh = int(parent.stdout.readline())
    wait_until(lambda: child not in children_of(parent.pid))
    now = here.follow(before)
    family = family_of(Context(now, first=before))
    assert {(c.pid, c.change) for c in family.changes} == {(child, "ended"), (fresh, "began")}
    began = next(c for c in family.changes if c.change == "began")
    assert began.at is not None
    assert began.at >= before.processes[0].started
    zombies = {p.pid for p in family.processes if p.zombie}
    assert zombies == {child}, "it was killed and nobody reaped it"
    os.kill(fresh, signal.SIGKILL)
    parent.stdin.close()


def test_ages_are_counted_from_the_root(start):
    parent = start("-c", FAMILY, stdin=subprocess.PIPE, start_new_session=True)
    target = here.find(f"pid/{parent.pid}")
    family = family_of(Context(target, first=target))
    ages = {p.pid: p.after_root_s for p in family.processes}
    assert ages[parent.pid] == 0
    assert 0 <= ages[int(parent.line)] < 60
    os.kill(int(parent.line), signal.SIGKILL)
    parent.stdin.close()


def test_it_needs_processes(start):
    target = here.find("host/local")
    assert processes.applies(Context(target)) is not None
    assert processes.applies(Context(replace(target, processes=()))) is not None


ODD = """
import ctypes, sys, time
ctypes.CDLL(None).prctl(15, bytes.fromhex(sys.argv[1]))
print("ready", flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize("name", [b"\xff\xfe", b"x\ny", b") (x", b"a\rb", b"\x85\x1c"])
def test_a_process_of_any_name_is_seen(start, name):
    program = start("-c", ODD, name.hex())
    found = here.find(f"pid/{program.pid}")
    family = family_of(Context(found, first=found))
    (one,) = family.processes
    assert (one.pid, one.name) == (program.pid, name.decode("utf-8", "replace"))
