"""Whether requests got slower: what only became faster did not, and an onset says whose moment it is."""

from __future__ import annotations

import functools
import time

import pytest
import state_logs
from state_logs import request

from locard.model.log_latency import risen


@pytest.fixture
def stands(tmp_path):
    return functools.partial(state_logs.read, tmp_path)


@pytest.mark.parametrize("slowest", [1.0, 2.5])
def test_most_requests_faster_and_the_slowest_as_before_is_no_rise(stands, slowest):
    """With slower ones among them it is one."""

    def make(rng, left):
        if left > 300:
            return request(rng, ms=30.0)
        return request(rng, ms=1.2 if rng.random() < 0.6 else 30.0 * slowest)

    log, state, said = stands(make, rate=10)
    if slowest == 1.0:
        assert log.changed == ()
        assert state.kind == "mix-changed"
        assert "latency rose" not in said
    else:
        assert log.changed == ("latency",)
        assert risen(log)[0] == "p99"


@pytest.mark.parametrize("ms", [40.0, 4000.0])
def test_an_onset_says_where_it_is_that_of_the_beginning_of_slow_requests(stands, ms):
    log, _, _ = stands(
        lambda rng, left: request(rng, bad=left < 300, ms=ms if left < 300 else 30.0), rate=10
    )
    assert log.changed
    assert log.began is (ms > 1000)


def test_no_part_of_a_log_is_shorter_than_what_its_times_tell(stands):
    def whole(at):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))

    short = {"rate": 5, "seconds": 30.0}
    rounded, _, _ = stands(lambda rng, _: request(rng), write=whole, **short)
    exact, _, _ = stands(lambda rng, _: request(rng), **short)
    assert min(p.width_s for p in rounded.series) == 1.0
    assert min(p.width_s for p in exact.series) < 1.0


@pytest.mark.parametrize("ended", [300.0, 0.0])
def test_a_few_slow_seconds_are_over_where_all_is_as_before_since(stands, ended):
    """Shorter than a part of the series; what goes on is not over."""
    _, state, said = stands(
        lambda rng, left: request(rng, ms=600.0 if ended < left < ended + 24 else 25.0),
        rate=20,
        seconds=1800.0,
    )
    assert state.over is (ended > 0)
    assert said.startswith("It is over") is (ended > 0)
