"""lock-contention: real convoys and their near misses, then each layer for and against."""

from __future__ import annotations

from dataclasses import replace

import pytest

from locard.kernel.probes import thread_states
from locard.model.evidence import Layer
from locard.model.facts import WaitedLock
from locard.model.finding import Confidence, Role, Severity
from locard.model.target import Context, Process, Target
from locard.rules.lock_contention import judge
from locard.runtime.python import stacks as stacks_probe
from rules.builders import (
    AS_BEFORE,
    IDLE,
    SLOW,
    calls,
    case,
    correlate,
    log,
    row,
    stack,
    stacks,
    state,
    states,
    system_calls,
    thing,
    things,
    thread_wait,
    waiting,
    waits,
)
from rules.builders import lock as lock_word
from support import run_probe

HANDLER = "handle app.py:20"
WAIT = ("reserve keys.py:24", HANDLER)
HOLD = ("exchange store.py:25", "reserve keys.py:28", HANDLER)
ROUNDS = range(3)
CONVOY = stacks(
    *[stack(r, t, *WAIT) for r in ROUNDS for t in (1, 2, 3)],
    *[stack(r, 4, *HOLD) for r in ROUNDS],
    *[stack(r, t, *IDLE) for r in ROUNDS for t in (5, 6)],
)
WITHOUT_HOLDER = stacks(*[s for s in CONVOY.stacks if s.tid != 4])
HELD = state(0, 4, "recvfrom", waits_for="unix")
ONE_FUTEX = states(
    *[state(r, t, futex=0x1000) for r in ROUNDS for t in (1, 2, 3)],
    *[state(r, t, futex=0x2000) for r in ROUNDS for t in (5, 6)],
    HELD,
)
OWN_FUTEXES = states(*[state(r, t, futex=0x1000 * t) for r in ROUNDS for t in (1, 2, 3, 5, 6)])
SLEEPING = states(*[state(r, t, "clock_nanosleep") for r in ROUNDS for t in (1, 2, 3)])
GIL = states(
    *[
        state(r, t, futex=0x9000, where="/usr/bin/python3.11 (zeroed data)")
        for r in ROUNDS
        for t in (1, 2, 3)
    ]
)


def found(*facts):
    return list(judge(case(*facts)))


def looked_at(pid):
    context = Context(
        Target("pid/1", "pid", "1", "here", (Process(pid, 1, 0, 0.0, 0, "p", ("p",)),))
    )
    facts = [f for p in (stacks_probe, thread_states) for f in run_probe(p, context)[1]]
    if any("not permitted" in m for f in facts for m in getattr(f, "missed", ())):
        pytest.skip("other processes may not be read here")
    return facts


def test_fires_on_a_real_convoy(start):
    (finding,) = found(*looked_at(start("lock_convoy.py").pid))
    assert "reserve (programs/lock_convoy.py:" in finding.title
    assert "held during exchange (programs/lock_convoy.py:" in finding.title
    assert finding.confidence is Confidence.STRONG
    assert {s.layer for s in finding.supports} == {Layer.RUNTIME, Layer.KERNEL}


@pytest.mark.parametrize("program", ["idle_pool.py", "sleepers.py", "slow_peer.py"])
def test_quiet_on_real_near_misses(start, program):
    assert found(*looked_at(start(program).pid)) == []


def test_fires_with_all_layers():
    log_ = log(correlate(route="/pay"))
    served = calls(("", 0.05, 0.2, 0.03, 0.3, 90), kind="server")
    (finding,) = found(log_, served, calls(AS_BEFORE), CONVOY, ONE_FUTEX)
    assert finding.role is Role.MECHANISM
    assert finding.severity is Severity.CRITICAL
    assert {s.layer for s in finding.supports} == {
        Layer.LOGS, Layer.METRICS, Layer.RUNTIME, Layer.KERNEL,
    }  # fmt: skip
    assert finding.against == ()
    says = " ".join(s.says for s in finding.supports)
    assert "up to 3 threads of pid 7 wait at one futex, 0x1000 ([heap])" in says
    assert "unix (recvfrom)" in says
    assert finding.values[1] == ("code.function.name", "reserve")


def test_fires_where_each_thread_parks_at_its_own_address():
    """CPython 3.13 does; the surplus over the idle threads tells it then."""
    (finding,) = found(CONVOY, OWN_FUTEXES)
    assert (
        "3.0 more threads than are idle are in a futex wait on average" in finding.supports[-1].says
    )


def without_ids(samples):
    return replace(samples, stacks=tuple(replace(s, tid=None) for s in samples.stacks))


def test_fires_where_the_runtime_gives_no_thread_ids():
    """py-spy without stopping a Python up to 3.10; the surplus tells it then."""
    (finding,) = found(without_ids(CONVOY), ONE_FUTEX)
    assert finding.confidence is Confidence.STRONG
    assert found(without_ids(CONVOY), SLEEPING) == []


def test_fires_on_stacks_alone_if_the_holder_is_seen():
    (finding,) = found(CONVOY)
    assert finding.confidence is Confidence.MODERATE


def test_the_class_in_a_name_does_not_matter():
    """Python 3.11 and later say `Keys.reserve`, and `Condition.wait` for what is no lock."""
    named = stacks(
        *[stack(r, t, "Keys.reserve keys.py:24", HANDLER) for r in ROUNDS for t in (1, 2)],
        *[stack(r, 4, "Store.exchange store.py:25", "Keys.reserve keys.py:28") for r in ROUNDS],
    )
    assert len(found(named)) == 1


def test_what_speaks_against_it():
    (finding,) = found(log(changed=()), calls(SLOW), WITHOUT_HOLDER, ONE_FUTEX)
    assert {s.layer for s in finding.against} == {Layer.LOGS, Layer.METRICS, Layer.RUNTIME}
    assert finding.severity is Severity.WARNING


def queue(*frames, tids=(1, 2, 3), rounds=ROUNDS, active=False):
    return stacks(*[stack(r, t, *frames, active=active) for r in rounds for t in tids])


WAITS = "wait <lib>/threading.py:320"


@pytest.mark.parametrize(
    "facts",
    [
        (CONVOY, SLEEPING),
        (CONVOY, GIL),
        (WITHOUT_HOLDER,),
        (queue(*IDLE), ONE_FUTEX),
        (queue(WAITS, "get <lib>/queue.py:171", "work app.py:3"), ONE_FUTEX),
        (queue(WAITS, "wait <lib>/threading.py:622", "loop app.py:9", HANDLER), ONE_FUTEX),
        (queue("recv_into <lib>/socket.py:706", "charge pay.py:3", HANDLER), ONE_FUTEX),
        (queue("compute sums.py:3", HANDLER, active=True), ONE_FUTEX),
        (queue(*WAIT, tids=(1,)), ONE_FUTEX),
        (queue(*WAIT, rounds=(0,)), ONE_FUTEX),
        (ONE_FUTEX,),
        (),
    ],
    ids=[
        "they sleep at that line",
        "it is the GIL",
        "no holder and no kernel",
        "an idle pool",
        "a queue without work",
        "they wait for an event",
        "they wait for a peer",
        "they compute",
        "one waits alone",
        "seen once only",
        "no stacks",
        "nothing known",
    ],
)
def test_quiet(facts):
    assert found(*facts) == []


def test_quiet_where_the_kernel_saw_them_sleep_at_that_moment():
    asleep = stacks(
        *(waiting(r, t, *WAIT, syscall="clock_nanosleep") for r in ROUNDS for t in (1, 2))
    )
    at_lock = stacks(*(waiting(r, t, *WAIT, syscall="futex") for r in ROUNDS for t in (1, 2)))
    assert len(found(at_lock, ONE_FUTEX)) == 1
    assert not found(asleep, ONE_FUTEX)


def test_fires_once_for_a_lock_word_that_the_kernel_shows():
    counted = row("futex 0x1000", "op 0 private", 60, pid=7, total_s=10.8, max_s=0.18)
    facts = (waits(thread_wait(), locks=(lock_word(),)), system_calls(locks=(counted,)))
    (finding,) = judge(case(*facts))
    assert finding.title == "5 threads queue for the lock cfg_lock, held by refresher (tid 9)"
    assert "60 futex waits for it ended" in finding.detail


def test_quiet_on_an_idle_pool_and_on_a_held_lock_without_waiters():
    pool = lock_word(kind="condition variable", holder="", contended=False)
    assert not list(judge(case(waits(thread_wait(), locks=(pool,)))))
    assert not list(judge(case(waits(thread_wait(call="clock_nanosleep", doing="sleeps")))))


def test_the_owner_that_a_lock_records_is_the_holder_wherever_it_is():
    lock = WaitedLock("RLock", "", 16, sure=True, recorded=True, owner=9)
    waiters = [replace(stack(r, t, *WAIT), lock=lock) for r in ROUNDS for t in (1, 2, 3)]
    inside = state(0, 9, "write", waits_for="pipe")
    owner = [
        replace(stack(r, 9, "emit handlers.py:7"), kernel=replace(inside, round=r)) for r in ROUNDS
    ]
    (finding,) = found(stacks(*waiters, *owner))
    assert "worker-9 (tid 9) has it, as the lock itself records" in finding.detail
    assert "emit (pay/handlers.py:7), in write pipe" in finding.detail


ACQUIRE = ("wait <lib>/threading.py:327", "acquire <lib>/threading.py:507", "render app.py:12")


def test_fires_on_a_semaphore_of_which_nothing_is_free():
    queue = stacks(*(stack(n, t, *ACQUIRE) for n in range(3) for t in (8, 9)))
    taken = [
        thing(n, "semaphore", name="threading.BoundedSemaphore", used=4, limit=4, size=0)
        for n in range(3)
    ]
    (finding,) = judge(case(queue, things(*taken)))
    assert (
        finding.title
        == "Threads or tasks queue for a threading.BoundedSemaphore at render (pay/app.py:12): 4 of 4 in use"
    )
    assert finding.against[0].says == "who has taken of it is not recorded by a semaphore"
    assert finding.severity is Severity.INFO, "it limits on purpose, and nothing says that it hurts"
    (finding,) = judge(case(log(), queue, things(*taken)))
    assert finding.severity is Severity.WARNING


def test_quiet_on_a_semaphore_with_one_left_and_on_one_that_was_seen_once():
    queue = stacks(*(stack(n, t, *ACQUIRE) for n in range(3) for t in (8, 9)))
    assert not list(judge(case(queue, things(*(thing(n, "semaphore", size=1) for n in range(3))))))
    assert not list(judge(case(queue, things(thing(0, "semaphore", size=0)))))
