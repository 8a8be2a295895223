"""psycopg_pool: its limit, its use and who waits, as they are."""

from far.pools_support import used_up


def test_limit_use_and_who_waits():
    found, truth = used_up("psycopg_pool")
    assert (found["waited"], found["label"]) == ("psycopg_pool", "orders")
    assert (found["limit"], found["used"]) == (2, 2)
    assert found["waiting"] == truth["waiters"]
    assert len(found["holders"]) == truth["holders"]
    assert not set(found["holders"]) & set(found["threads"])
