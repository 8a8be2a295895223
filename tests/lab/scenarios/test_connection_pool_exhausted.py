"""The pool runs dry within seconds and requests fail for want of a connection; the near miss gives them back."""

NAME = "connection-pool-exhausted"


def test_requests_fail_once_the_pool_is_empty(faulty):
    seen = faulty[NAME]
    assert seen.before().error_share < 0.03
    statuses = [r.status for r in seen.requests if seen.onset < r.due < seen.ended]
    assert statuses.count(503) > 10
    assert "entry not made within 2.0 s" in seen.log


def test_the_log_does_not_name_the_pool(faulty):
    assert "pool" not in faulty[NAME].log.lower()


def test_the_near_miss_gives_back_what_it_takes(near_misses):
    seen = near_misses[NAME]
    assert seen.scene.near_miss.at_onset[0].share == seen.scene.fault[0].share
    assert not any(r.status == 503 for r in seen.requests)
