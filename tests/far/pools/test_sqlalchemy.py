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


def test_an_asyncio_engine_whose_checkout_runs_in_a_greenlet():
    found, truth = used_up("aiosqlite")
    assert (found["limit"], found["used"]) == (2, 2)
    assert found["greenlets"] == truth["waiters"]
    assert sorted(found["holding_tasks"]) == ["hold-0", "hold-1"]
