"""Everyone who needs the lock waits for it, seen at one line; the store stays as fast as it was."""

import re
from pathlib import Path

import pytest

import locard.lab

NAME = "lock-contention"
SERVICE = Path(locard.lab.__file__).parent / "programs" / "payment_service"


def lock_line(place):
    lines = (SERVICE / place).read_text().splitlines()
    return next(n for n, text in enumerate(lines, 1) if "with self._lock" in text)


def threads(dump):
    return [block.splitlines()[1:] for block in re.split(r"\n(?=Thread )", dump)[1:]]


def test_requests_that_use_the_lock_become_slow(faulty):
    seen = faulty[NAME]
    before, after = seen.before(lambda r: True), seen.after(lambda r: True)
    assert before.p50_ms < 150
    assert after.p50_ms > before.p50_ms * 2
    assert after.p99_ms > 300


def test_waiters_and_a_holder_in_io_are_visible_at_once(faulty):
    seen = faulty[NAME]
    if not any(d for dumps in seen.dumps for d in dumps):
        pytest.skip("py-spy may not read other processes here")
    place = seen.scene.truth.mentions[0]
    waits = f"payment_service/{place}:{lock_line(place)}"
    most = 0
    for dumps in seen.dumps:
        for dump in dumps:
            stacks = [frames for frames in threads(dump) if frames]
            waiting = sum(waits in frames[0] for frames in stacks)
            holding = sum("StoreConnection.exchange" in frames[0] for frames in stacks)
            if holding:
                most = max(most, waiting)
    assert most >= 3


def test_the_near_miss_rolls_out_as_far_and_hurts_nobody(near_misses):
    seen = near_misses[NAME]
    assert seen.scene.near_miss.at_onset == seen.scene.fault
    assert seen.after().p50_ms < max(2 * seen.before().p50_ms, 100)
    assert seen.after().error_share < 0.03


def test_the_lock_is_busy_but_not_overrun(faulty):
    service, load = faulty[NAME].scene.service, faulty[NAME].scene.load
    flag = faulty[NAME].scene.fault[0]
    resource = {"shared-idempotency-keys": "keys", "exact-rates": "rates"}.get(
        flag.name, "receipts"
    )
    holds = load.rate_per_s / service.workers * service.use_share(resource) * flag.share
    assert 0.8 < holds * service.store_write_ms / 1000 < 0.92
