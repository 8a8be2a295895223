"""db-lock-wait: sessions whose titles say that they wait, or the words of the database."""

from locard.rules.db_lock_wait import judge
from rules.builders import calling, case, log, message, peer, peers

ADDRESS = "127.0.0.1:5432"
BLOCKED = peer(
    ADDRESS, ("SELECT waiting", 8), ("idle in transaction", 1), service="PostgreSQL", pid=9,
    process="postgres",
)  # fmt: skip


def test_fires_on_sessions_of_the_target_that_wait():
    (finding,) = judge(case(log(), calling(ADDRESS), peers(BLOCKED)))
    assert "PostgreSQL" in finding.title
    assert "idle in transaction" in finding.supports[0].says
    assert "pg_blocking_pids" in finding.next_commands[0]
    assert not finding.against


def test_nobody_seen_who_holds_it_is_said():
    (finding,) = judge(case(log(), peers(peer(ADDRESS, ("SELECT waiting", 8)))))
    assert "who holds the lock" in finding.against[0].says


def test_the_database_itself_as_the_target():
    (finding,) = judge(case(peers(own=(("UPDATE waiting", 3), ("idle in transaction", 1)))))
    assert finding.rule == "db-lock-wait"


def test_the_words_of_the_database():
    text = "Lock wait timeout exceeded; try restarting transaction"
    (finding,) = judge(case(log(changed=("errors",), messages=(message(text, after=38),))))
    assert finding.explains


def test_quiet_where_sessions_work():
    assert not list(judge(case(log(), peers(peer(ADDRESS, ("SELECT", 8), ("idle", 3))))))
