"""A worker's memory grows by the documents that it keeps, and nobody is hurt; the near miss keeps a few."""

from pathlib import Path

import locard.lab

NAME = "memory-leak"


def test_nobody_is_hurt(faulty):
    before, after = faulty[NAME].before(), faulty[NAME].after()
    assert after.error_share < 0.05
    assert after.p50_ms < max(2 * before.p50_ms, 150)


def test_the_near_miss_is_rolled_out_as_far(faulty, near_misses):
    (fault,), (near,) = faulty[NAME].scene.fault, near_misses[NAME].scene.near_miss.at_onset
    assert fault.name != near.name
    assert fault.share == near.share > 0.6
    assert near_misses[NAME].after().error_share < 0.05


def test_the_names_in_the_truth_are_the_service_s(faulty):
    module, _, name = faulty[NAME].scene.truth.mentions[0].partition(".")
    service = Path(locard.lab.__file__).parent / "programs" / "payment_service"
    assert f"class {name}:" in (service / f"{module}.py").read_text()
