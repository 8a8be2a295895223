"""SQLAlchemy QueuePool: its limit, its use and who waits, as they are."""

from far.pools_support import used_up


def test_limit_use_and_who_waits():
    found, truth = used_up("sqlalchemy")
    assert (found["waited"], found["label"]) == ("SQLAlchemy QueuePool", "")
    assert (found["limit"], found["used"]) == (3, 3)
    assert found["waiting"] == truth["waiters"]
    assert len(found["holders"]) == truth["holders"]
    assert not set(found["holders"]) & set(found["threads"])


def test_connections_that_a_session_of_the_orm_holds():
    found, truth = used_up("sqlalchemy", "orm")
    assert len(found["holders"]) == truth["holders"]
