"""memory-leak: fires on a real leak, as a mechanism near a limit; quiet on a steady process."""

from __future__ import annotations

import pytest

from locard.host import memory
from locard.kernel.probes import thread_states
from locard.model import semconv
from locard.model.facts import MemoryUse, ProcessMemory
from locard.model.finding import Role
from locard.model.target import Context, Process, Target
from locard.rules.memory_leak import judge
from rules.builders import case, readings
from support import run_probe

MIB = 1 << 20
LEAK = """
import os, time
print("ready", flush=True)
kept = []
while True:
    kept.append(os.urandom(MIB)); time.sleep(.02)
""".replace("MIB", str(MIB))


def use(at, mib):
    return MemoryUse(at, (ProcessMemory(7, int(mib * MIB)),))


def test_fires_near_the_limit():
    limit = (semconv.CONTAINER_WORKING_SET, "cgroup /a", 190 * MIB, "warning", 200 * MIB)
    (found,) = judge(case(use(100.0, 100), use(105.0, 150), readings(limit, of="target")))
    assert found.role is Role.MECHANISM
    assert found.title == "Memory grows: pid 7 by 10.0 MiB/s, 100 to 150 MiB within 5.0 s"


def test_far_from_a_limit_it_is_background():
    (found,) = judge(case(use(100.0, 100), use(105.0, 150)))
    assert found.role is Role.CONTEXT
    assert found.against


@pytest.mark.parametrize(("seconds", "mib"), [(5.0, 100.5), (0.5, 150), (5.0, 50), (60.0, 110)])
def test_quiet_on_little_growth(seconds, mib):
    assert list(judge(case(use(100.0, 100), use(100.0 + seconds, mib)))) == []
    assert list(judge(case(use(100.0, 100)))) == []


@pytest.mark.parametrize(("program", "fires"), [(("-c", LEAK), True), (("idle_pool.py",), False)])
def test_fires_on_a_real_leak_only(start, program, fires):
    pid = start(*program).pid
    target = Target("pid/1", "pid", "1", "here", (Process(pid, 1, 0, 0.0, 0, "python3", ()),))
    facts = [f for p in (thread_states, memory) for f in run_probe(p, Context(target))[1]]
    assert sum(isinstance(f, MemoryUse) for f in facts) == 2
    assert bool(list(judge(case(*facts)))) is fires
