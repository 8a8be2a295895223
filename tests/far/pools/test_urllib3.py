"""urllib3 HTTPConnectionPool: its limit, its use and who waits, as they are."""

from far.pools_support import used_up


def test_limit_use_and_who_waits():
    found, truth = used_up("urllib3")
    assert (found["waited"], found["label"]) == ("urllib3 HTTPConnectionPool", "127.0.0.1")
    assert (found["limit"], found["used"]) == (2, 2)
    assert found["waiting"] == truth["waiters"]
    assert len(found["holders"]) == truth["holders"]
    assert not set(found["holders"]) & set(found["threads"])
