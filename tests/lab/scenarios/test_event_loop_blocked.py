"""Every request waits for the loop that one of them keeps; the near miss does as much on it and hurts nobody."""

import pytest

NAME = "event-loop-blocked"


def test_everyone_becomes_slow_and_nobody_fails(faulty):
    seen = faulty[NAME]
    before, after = seen.before(), seen.after()
    assert before.p50_ms < 150
    assert after.p50_ms > 1.7 * before.p50_ms
    assert after.error_share < 0.05


def test_the_thread_of_the_loop_is_seen_in_the_store(faulty):
    seen = faulty[NAME]
    dumps = [dump for dumps in seen.dumps for dump in dumps]
    if not any(dumps):
        pytest.skip("py-spy may not read other processes here")
    blocks = [block for dump in dumps for block in dump.split("\nThread ")]
    assert any("exchange" in b and "_score (payment_service/scores.py" in b for b in blocks)


def test_the_near_miss_hurts_nobody(near_misses):
    seen = near_misses[NAME]
    assert seen.scene.near_miss.at_onset[0].share == seen.scene.fault[0].share
    assert seen.after().p50_ms < max(1.5 * seen.before().p50_ms, 100)
