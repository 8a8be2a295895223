"""The service reloads a value that cannot work, and says that it did; a harmless one hurts nobody."""

import pytest

NAME = "bad-config-value"


def reloads(seen):
    return [line for line in seen.log.splitlines() if "configuration reloaded" in line]


def test_calls_fail_from_the_reload_on(faulty):
    seen = faulty[NAME]
    assert len(reloads(seen)) == seen.scene.service.workers, "each worker says so once"
    assert seen.before().error_share < 0.03
    assert seen.after().error_share > 0.15
    setting = seen.scene.fault[0].setting
    assert ("timed out after 0.0" if setting == "timeout_s" else "Connection refused") in seen.log


def test_the_log_alone_gives_it_away(faulty):
    seen = faulty[NAME]
    assert seen.rules[0] == NAME
    onset = seen.answer["log_summary"]["onset"]
    # Reloading takes a while, never less than none.
    assert onset["earliest"] - 2 <= seen.onset <= onset["latest"] + 0.5


def test_the_near_miss_reloads_and_goes_on(near_misses):
    seen = near_misses[NAME]
    assert len(reloads(seen)) == seen.scene.service.workers
    assert seen.after().error_share == pytest.approx(0, abs=0.03)
    assert [f["title"] for f in seen.answer["findings"]] == []


def test_nothing_is_found_where_nothing_happens(healthy):
    assert not reloads(healthy[NAME])
    assert [f["title"] for f in healthy[NAME].answer["findings"]] == []
