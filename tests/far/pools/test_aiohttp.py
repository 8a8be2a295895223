"""aiohttp connector: its limit, its use and who waits, as they are."""

from far.pools_support import used_up


def test_limit_use_and_who_waits():
    found, truth = used_up("aiohttp")
    assert (found["waited"], found["label"]) == ("aiohttp connector", "")
    assert (found["limit"], found["used"]) == (2, 2)
    assert found["waiting"] == truth["waiters"]
    assert sorted(found["tasks"]) == ["order-2", "order-3", "order-4"]
