"""The fault hits the drawn pair at the drawn upstream and nobody else; the near miss, nobody."""

import json
import platform

import pytest

NAME = "upstream-slow"


def victims(seen):
    truth = dict(seen.scene.truth.values)

    def hit(request):
        return (
            request.upstream == truth["upstream"]
            and request.headers["x-region"] == truth["region"]
            and request.headers["x-user-segment"] == truth["user_segment"]
        )

    return hit


def test_the_affected_become_slow_and_the_others_do_not(faulty):
    seen = faulty[NAME]
    hit = victims(seen)
    assert seen.before(hit).p50_ms < 150  # the p99 of some thirty requests is just the slowest one
    after, others = seen.after(hit), seen.after(lambda r: not hit(r))
    assert after.requests >= 8
    assert after.p50_ms > 700
    assert others.p50_ms < 150
    assert others.error_share < 0.03


def test_some_time_out_and_some_are_merely_slow(faulty):
    seen = faulty[NAME]
    hit = victims(seen)
    statuses = [r.status for r in seen.requests if hit(r) and seen.onset < r.due < seen.ended]
    assert 504 in statuses
    assert 200 in statuses
    errors = [json.loads(line) for line in seen.log.splitlines() if '"status":504' in line]
    assert all("timed out after 2.0 s" in e["message"] and e["level"] == "error" for e in errors)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="system calls are numbered as on x86_64")
def test_threads_are_seen_in_recv_from_that_upstream(faulty):
    seen = faulty[NAME]
    truth = dict(seen.scene.truth.values)
    peer = next(
        record["peer"]
        for record in map(json.loads, (x for x in seen.log.splitlines() if x.startswith("{")))
        if record.get("upstream") == truth["upstream"]
    )
    if not any(d for dumps in seen.dumps for d in dumps):
        pytest.skip("py-spy may not read other processes here")
    assert peer in seen.receiving_from
    assert any("ProviderClient._exchange" in d for dumps in seen.dumps for d in dumps)


def test_the_near_miss_is_slow_all_along_and_nobody_fails(near_misses):
    seen = near_misses[NAME]
    hit = victims(seen)
    assert seen.before(hit).p50_ms > 400
    assert seen.after(hit).p50_ms == pytest.approx(seen.before(hit).p50_ms, rel=0.5)
    assert not any(r.status == 504 for r in seen.requests)
