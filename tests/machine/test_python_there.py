"""Python's stacks over ssh on another kernel with Yama: read by root and by who may, refused with its words else."""

from __future__ import annotations

import pytest

from machine_lab import needs_machine

pytestmark = needs_machine

WAITS = """
import threading
gate = threading.BoundedSemaphore(1)
gate.acquire()
for _ in range(2):
    threading.Thread(target=gate.acquire, name="queue", daemon=True).start()
threading.Event().wait()
"""


@pytest.fixture
def service(machine):
    """A service of the ordinary user."""
    machine.unit("waits", WAITS, "User=oncall")
    yield "proc/bin/waits"
    machine.root("systemctl stop waits; sysctl -q kernel.yama.ptrace_scope=0")


def read(machine, target, user, command="stacks"):
    """(the things that somebody waits in, why what was not read)."""
    words = ("--for", "1s") if command == "profile" else ()
    found = machine.json(command, target, "--on", f"host/{user}@vm", *words)
    facts = [fact for e in found["evidence"] for fact in e["facts"]]
    things = [t["name"] for f in facts if f["fact"] == "Contention" for t in f["things"]]
    missed = [m for f in facts if f["fact"] == "RuntimeCoverage" for m in f["missed"]]
    missed += [f["why"] for f in facts if f["fact"] == "NotObserved"]
    return things, " ".join(missed)


@pytest.mark.parametrize(
    ("scope", "said"), [(0, ""), (1, "its parent or who has CAP_SYS_PTRACE"), (2, "only who has")]
)
def test_an_ordinary_users_own_process_under_yama(machine, service, scope, said):
    machine.root(f"sysctl -q kernel.yama.ptrace_scope={scope}")
    things, missed = read(machine, service, "oncall")
    if not scope:
        assert "threading.BoundedSemaphore" in things, missed
        return
    assert not things
    assert (
        f"not permitted: process_vm_readv failed with EPERM, Yama (kernel.yama.ptrace_scope={scope})"
        in missed
    )
    assert said in missed
    _, missed = read(machine, service, "oncall", "profile")
    assert f"Yama (kernel.yama.ptrace_scope={scope})" in missed


def test_root_reads_it_under_yama_and_another_user_does_not(machine, service):
    machine.root("sysctl -q kernel.yama.ptrace_scope=1")
    assert "threading.BoundedSemaphore" in read(machine, service, "root")[0]
    things, missed = read(machine, service, "svc")
    assert not things
    assert "without CAP_SYS_PTRACE: run as that user or with sudo" in missed
