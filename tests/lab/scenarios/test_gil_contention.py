"""One call in C at a time, and all other threads of the worker stand still; the near miss takes no time."""

NAME = "gil-contention"


def test_everyone_becomes_slow_also_who_calls_nothing(faulty):
    seen = faulty[NAME]
    before, after = seen.before(), seen.after()
    assert after.p50_ms > 1.5 * before.p50_ms
    assert after.p99_ms > 150


def test_one_core_is_what_is_used_up(faulty):
    scene = faulty[NAME].scene
    assert scene.service.workers == 1
    assert 0.6 < scene.load.rate_per_s * scene.fault[0].share * 0.06 < 0.72


def test_the_near_miss_hurts_nobody(near_misses):
    seen = near_misses[NAME]
    assert seen.scene.near_miss.at_onset[0].share == seen.scene.fault[0].share
    assert seen.after().p50_ms < max(1.5 * seen.before().p50_ms, 100)
