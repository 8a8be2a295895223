"""One function computes in Python and takes a core; the near miss computes the same of a short text."""

NAME = "hot-function"


def test_everyone_becomes_slow_behind_who_computes(faulty):
    seen = faulty[NAME]
    before, after = seen.before(), seen.after()
    assert after.p50_ms > 1.5 * before.p50_ms
    assert after.p99_ms > 100


def test_one_core_is_what_is_used_up(faulty):
    scene = faulty[NAME].scene
    assert scene.service.workers == 1
    assert 0.6 < scene.load.rate_per_s * scene.fault[0].share * 0.045 < 0.74


def test_the_near_miss_hurts_nobody(near_misses):
    seen = near_misses[NAME]
    assert seen.scene.near_miss.at_onset[0].share == seen.scene.fault[0].share
    assert seen.after().p50_ms < max(1.5 * seen.before().p50_ms, 100)
