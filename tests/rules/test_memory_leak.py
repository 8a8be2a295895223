"""memory-leak: fires on a real leak, as a mechanism near a limit; quiet on a steady process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from locard.host import memory
from locard.kernel.probes import thread_states
from locard.model import semconv
from locard.model.facts import MemoryUse, ProcessMemory
from locard.model.finding import Confidence, Role, Severity
from locard.model.target import Context, Process, Target
from locard.rules.memory_leak import judge
from locard.runtime.python import heap
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


def growth(**changes):
    (fact,) = heap.read(heap.SAMPLES[0].outputs)
    return replace(fact, **changes)


def test_fires_with_the_type_and_who_holds_it():
    (found,) = judge(case(use(100.0, 100), use(105.0, 150), growth(age_s=3600.0)))
    assert found.title == (
        "Memory grows: __main__.RepoClient +25/s, held by "
        "functools._lru_cache_wrapper RepoClient.default_branch (currsize 250, maxsize None, 0 hits)"
        " of class __main__.RepoClient (default_branch); bytearray +25/s as well"
    )
    assert (found.role, found.severity) == (Role.MECHANISM, Severity.WARNING)
    assert not found.against
    (lone,) = judge(case(growth(age_s=3600.0)))
    assert (lone.confidence, found.confidence) == (Confidence.MODERATE, Confidence.STRONG)
    (young,) = judge(case(growth(age_s=12.0)))
    assert young.against[0].says == "the process was 12 s old: a warm-up looks the same"


def test_fires_on_circles_that_nothing_collects_and_stays_quiet_on_those_that_wait():
    client = growth().types[0]
    alone = replace(client, holding=replace(client.holding, root="", alone=True))
    (found,) = judge(case(growth(types=(alone,), collector_on=False)))
    assert "RepoClient +25/s hold one another while the garbage collector is off" in found.title
    assert not list(judge(case(growth(types=(alone,)))))


def test_quiet_where_no_holder_has_a_name_or_the_growth_is_not_steady():
    fact = growth()
    client = fact.types[0]
    for changed in (
        replace(client, holding=replace(client.holding, root="")),
        replace(client, holding=replace(client.holding, root="frame")),
        replace(client, trend="level"),
        replace(client, trend="uneven"),
        replace(client, kept=0.1),
        replace(client, holding=None),
    ):
        assert not list(judge(case(growth(types=(changed, *fact.types[1:])))))
    assert not list(judge(case(growth(looks=fact.looks[::2]))))  # two looks: a step looks the same
    looks = tuple(replace(look, partial="bounded") for look in fact.looks)
    assert not list(judge(case(growth(looks=looks))))
