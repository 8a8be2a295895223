"""Errors of a few requests only: found in their group where the whole log shows no onset."""

from __future__ import annotations

import json

import planted_logs as planted
import pytest

from locard.investigate import logs_alone

ONSET = 210
HIT = {"upstream": "wallet", "region": "ap-south"}  # one request in 25


@pytest.fixture
def summarise(tmp_path):
    """The first pass over a log of 400 s."""

    def run(seed, **options):
        rows = planted.lines(seed, seconds=400, **options)
        return planted.summarise(str(planted.write(tmp_path / "service.log", rows)))

    return run


@pytest.mark.parametrize("seed", [31, 34, 35])
def test_a_faint_onset_is_found_and_dated_where_it_shows(summarise, seed):
    summary = summarise(seed, incident=planted.Incident(ONSET, affected=HIT, error_rate=0.14))
    assert summary.of_part
    assert summary.changed == ("errors",)
    assert summary.onset.earliest - planted.START <= ONSET <= summary.onset.latest - planted.START
    assert [dict(c.values) for c in summary.correlates] == [HIT]
    assert summary.after_total > 7500  # all are compared, not the part alone
    claims = logs_alone.conclude(summary).claims
    said = next(c.claim for c in claims if c.claim.slot == "changed").text("says")
    assert said.startswith("Errors rose for region=ap-south and upstream=wallet only, from ")
    assert ": too few to show among all (" in said


@pytest.mark.parametrize("seed", [34, 35])
def test_what_shows_among_all_is_told_of_all(summarise, seed):
    summary = summarise(seed, incident=planted.Incident(ONSET, affected=HIT, error_rate=0.8))
    assert summary.changed == ("errors",)
    assert not summary.of_part


@pytest.mark.parametrize("seed", range(40, 46))
def test_a_healthy_log_or_a_few_errors_more_of_everyone_are_of_no_part(summarise, seed):
    incident = planted.Incident(ONSET, error_rate=0.004) if seed % 2 else None
    assert not summarise(seed, incident=incident, wobble=0.1).of_part


def test_a_field_that_came_later_is_a_group_too(tmp_path):
    incident = planted.Incident(ONSET, affected=HIT, error_rate=0.14)
    rows = [json.loads(row) for row in planted.lines(31, seconds=400, incident=incident)]
    for row in rows:
        if row["time"] < planted.START + 30:
            del row["upstream"], row["region"]
    path = planted.write(tmp_path / "service.log", [json.dumps(row) for row in rows])
    summary = planted.summarise(str(path))
    assert summary.of_part
    assert [dict(c.values) for c in summary.correlates] == [HIT]
