"""What threads do, in words: by stack and kernel together, and by the kernel alone."""

from __future__ import annotations

from dataclasses import replace

from locard.investigate.activities import observed
from locard.model.facts import StackSamples
from rules.builders import case, in_call, stack, stacks, state, states

SITE = "/srv/venv/lib/python3.11/site-packages"
POOL = (
    f"_do_get {SITE}/sqlalchemy/pool/impl.py:1",
    f"checkout {SITE}/sqlalchemy/pool/base.py:1",
    "order app.py:9",
    "handle app.py:2",
)


def what(*facts):
    return [(a.work, a.what, a.peer) for a in observed(case(*facts))]


def test_the_far_end_is_that_of_the_same_thread_at_that_moment():
    bank = state(0, 9, "recvfrom", peer="10.0.0.1:9102")
    joined = [replace(in_call(n, 9), kernel=bank) for n in range(3)]
    assert what(stacks(*joined)) == [
        ("busy", "waits for the answer of 10.0.0.1:9102", "10.0.0.1:9102")
    ]
    # The same kernel states, taken at another time, name nobody.
    apart = [in_call(n, 9) for n in range(3)]
    assert what(stacks(*apart), states(bank)) == [("busy", "waits for the network", None)]


def test_a_pool_that_waits_is_told_from_one_that_connects():
    waits = stack(
        0, 9, "wait <lib>/threading.py:320", f"get {SITE}/sqlalchemy/util/queue.py:5", *POOL
    )
    assert what(stacks(waits)) == [
        ("busy", "waits for a free connection of its database pool", None)
    ]
    connects = stack(0, 9, f"connect {SITE}/psycopg2/__init__.py:122", *POOL)
    assert what(stacks(connects)) == [("busy", "waits", None)]


def test_a_semaphore_is_told_from_an_event():
    above = ("render app.py:9", "handle app.py:2", "serve app.py:1")
    inner = "wait <lib>/threading.py:327"
    semaphore = stack(0, 9, inner, "acquire <lib>/threading.py:507", *above)
    assert what(stacks(semaphore)) == [("busy", "waits for a semaphore", None)]
    event = stack(0, 9, inner, "wait <lib>/threading.py:629", *above)
    assert what(stacks(event)) == [("busy", "waits for an event", None)]


def test_the_kernel_speaks_where_there_is_no_stack_and_only_there():
    found = states(state(0, 9, "futex", futex=1), state(0, 10, "accept4", pid=8))
    assert ("unknown", "waits in a futex: a lock, a condition or an empty queue", None) in what(
        found
    )
    assert ("idle", "idle", None) in what(found)
    ran = stack(0, 9, "work app.py:1", "main app.py:2", active=True)
    assert ("busy", "runs", None) in what(stacks(ran), found)
    assert not any("futex" in words for _, words, _ in what(stacks(ran), found))
    assert what(StackSamples("python", 0, (), ("pid 7: no",))) == []
