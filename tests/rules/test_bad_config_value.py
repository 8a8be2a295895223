"""bad-config-value: a reload just where it got worse, and not one of many."""

from dataclasses import replace

from locard.model.finding import Confidence
from locard.model.log_facts import ChangeLine, Onset
from locard.rules.bad_config_value import judge
from rules.builders import case, log, message

ONSET = Onset(600.0, 602.0, 0.95)
TEXT = "configuration reloaded: timeout 2.0 -> 0.02"


def line(at=601.0, *, kind="config", elsewhere=0):
    return ChangeLine(kind, TEXT, at, at, 1, elsewhere, 24.0, 900.0)


def found(*lines, onset=ONSET, changed=("errors",), messages=()):
    summary = log(changed=changed, messages=messages)
    return list(judge(case(replace(summary, onset=onset, changes=lines))))


def test_fires_on_a_reload_at_the_onset():
    (finding,) = found(line(), messages=(message("timed out after 0.02 s"),))
    assert TEXT in finding.title
    assert finding.confidence is Confidence.MODERATE
    assert "inside the interval" in finding.detail
    assert "new since then, 10 times: timed out" in finding.detail
    assert finding.next_commands == (
        "locard logs app.log --around 1970-01-01T00:10:01Z --window 5s",
    )


def test_fires_on_the_nearest_of_several():
    (finding,) = found(line(595.0), line(599.0))
    assert "1.0 s before the interval" in finding.detail


def test_fires_but_says_that_it_was_worse_already():
    (finding,) = found(line(603.5))
    assert "already" in finding.against[0].says


def test_quiet_if_such_lines_come_all_the_time():
    assert found(line(elsewhere=9))
    assert not found(line(elsewhere=90))
    assert found(replace(line(elsewhere=90), near=9)), "one a worker is one reload"


def test_quiet_if_it_came_no_nearer_than_chance_would_have_it():
    assert not found(replace(line(), near_s=12.0, rest_s=3.0))


def test_quiet_on_other_changes_without_onset_and_without_a_change():
    assert not found(line(kind="deploy"))
    assert not found()
    assert not found(line(), onset=None)
    assert not found(line(), onset=replace(ONSET, baseline_seen=False))
    assert not found(line(), changed=())
