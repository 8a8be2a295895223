"""What is submitted to the small pool begins ever later; the near miss is work that its threads keep up with."""

NAME = "thread-exhaustion"


def test_requests_wait_for_work_that_was_not_begun(faulty):
    seen = faulty[NAME]
    before, after = seen.before(), seen.after()
    assert before.error_share < 0.03
    assert after.p50_ms > max(3 * before.p50_ms, 300)


def test_more_is_asked_of_the_pool_than_its_threads_can_do(faulty):
    scene = faulty[NAME].scene
    service, load, flag = scene.service, scene.load, scene.fault[0]
    asked = load.rate_per_s / service.workers * flag.share * service.store_write_ms / 1000
    assert 1.2 < asked / 4 < 1.7


def test_the_near_miss_keeps_up(near_misses):
    seen = near_misses[NAME]
    assert not any(r.status == 504 for r in seen.requests)
    assert seen.after().p50_ms < max(1.5 * seen.before().p50_ms, 150)
