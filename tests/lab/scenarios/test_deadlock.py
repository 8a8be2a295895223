"""Workers stand still for good, one after another; the near miss takes the same locks in one order."""

import pytest

NAME = "deadlock"


def test_requests_are_not_answered_any_more(faulty):
    seen = faulty[NAME]
    assert seen.before().error_share < 0.03
    late = [r for r in seen.requests if seen.onset + 5 < r.due < seen.ended]
    assert late
    assert sum(r.status != 200 for r in late) > len(late) / 2


def test_two_threads_hold_what_the_other_wants(faulty):
    dumps = [dump for dumps in faulty[NAME].dumps for dump in dumps]
    if not any(dumps):
        pytest.skip("py-spy may not read other processes here")
    assert any(
        "find (payment_service/audit.py" in d and "write (payment_service/audit.py" in d
        for d in dumps
    )


def test_the_near_miss_hurts_nobody(near_misses):
    seen = near_misses[NAME]
    assert seen.scene.near_miss.at_onset[0].share == seen.scene.fault[0].share
    assert seen.after().p50_ms < max(1.5 * seen.before().p50_ms, 150)
    assert seen.after().error_share < 0.03
