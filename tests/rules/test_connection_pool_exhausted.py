"""connection-pool-exhausted: the pool's own words, or threads that wait inside of it."""

import pytest

from locard.rules.connection_pool_exhausted import judge
from rules.builders import IDLE, case, log, message, peer, peers, stack, stacks, thing, things

CHECKOUT = (
    "wait <lib>/threading.py:359", "get /site-packages/sqlalchemy/util/queue.py:185",
    "_do_get /site-packages/sqlalchemy/pool/impl.py:154", "order app.py:17",
)  # fmt: skip


def in_checkout(count=8):
    return stacks(*(stack(n, n, *CHECKOUT) for n in range(count)))


@pytest.mark.parametrize(
    "text",
    [
        "QueuePool limit of size 5 overflow 2 reached, connection timed out",
        "HikariPool-1 - Connection is not available, request timed out after 30000ms",
        "FATAL: sorry, too many clients already",
        "couldn't get a connection after 30.00 sec",
    ],
)
def test_fires_on_the_words_of_the_pool(text):
    (finding,) = judge(case(log(changed=("errors",), messages=(message(text, after=38),))))
    assert finding.explains
    assert not finding.against


def test_threads_that_wait_inside_of_it():
    held = peers(peer("127.0.0.1:5432", ("idle in transaction", 7)))
    (finding,) = judge(case(log(), in_checkout(), held))
    said = " ".join(s.says for s in finding.supports)
    assert "sqlalchemy" in said
    assert "7 sessions" in said
    assert finding.against, "no message said it"


def test_quiet_where_all_is_well_or_nobody_waits():
    assert not list(judge(case(log(changed=()), in_checkout())))
    assert not list(judge(case(log(), stacks(stack(0, 1, "run app.py:1", active=True)))))


def kept(rounds=3, holders=(1,)):
    """Threads 8 and 9 wait, thread 1 is past the checkout."""
    waits = [stack(n, t, *CHECKOUT) for n in range(rounds) for t in (8, 9)]
    holds = [stack(n, 1, "sleep app.py:40", "export app.py:31") for n in range(rounds)]
    return stacks(*waits, *holds), things(*(thing(n, holders=holders) for n in range(rounds)))


def test_fires_on_the_count_of_the_pool_itself_and_names_who_has_one():
    (finding,) = judge(case(log(), *kept()))
    assert (
        finding.title
        == "Requests wait for a connection of a pool that is used up: SQLAlchemy QueuePool, 7 of 7 in use, in order (pay/app.py:17)"
    )
    assert "at 3 of 3 looks up to 2 threads of pid 7 wait in SQLAlchemy QueuePool" in finding.detail
    assert "1 thread has one in their stacks, most in sleep (pay/app.py:40)" in finding.detail


def test_fires_and_says_that_no_stack_has_one_where_they_leaked():
    (finding,) = judge(case(log(), *kept(holders=())))
    assert (
        "no stack that was read has one of them: they were taken and not given back"
        in finding.detail
    )


def test_quiet_where_the_pool_has_one_left_or_only_idle_workers_wait():
    samples, _ = kept()
    spare = things(*(thing(n, used=6) for n in range(3)))
    assert not list(judge(case(log(changed=()), samples, spare)))
    idle = stacks(*(stack(n, t, *IDLE) for n in range(3) for t in (8, 9)))
    assert not list(judge(case(log(), idle, things(*(thing(n) for n in range(3))))))
    once, _ = kept(rounds=1)
    assert not list(judge(case(log(changed=()), once, things(thing(0)))))
