"""connection-pool-exhausted: the pool's own words, or threads that wait inside of it."""

import pytest

from locard.rules.connection_pool_exhausted import judge
from rules.builders import case, log, message, peer, peers, stack, stacks

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
