"""bad-config-value: a reload just where it got worse, and not one of many."""

from dataclasses import replace

from locard.model.finding import Confidence, Role, Severity
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
    assert found(replace(line(), near_s=24.0, rest_s=3.0))
    assert not found(replace(line(), near_s=8.0, rest_s=2.0))


def test_a_coincidence_that_is_not_rare_is_no_factor():
    (rare,) = found(line())
    (finding,) = found(replace(line(), near_s=24.0, rest_s=12.0))
    assert (rare.role, finding.role) == (Role.MECHANISM, Role.CONTEXT)
    assert finding.severity is Severity.WARNING
    assert "5.6 % is more than 1 %" in finding.against[0].says


def test_a_message_that_is_new_right_after_it_dates_it_better_than_a_wide_onset():
    wide = Onset(598.0, 610.0, 0.95)
    new = replace(message("timed out after 0.02 s"), first=601.4)
    (finding,) = found(line(), onset=wide, messages=(new,))
    assert finding.role is Role.MECHANISM
    assert "the first 0.4 s later" in finding.detail
    early = replace(new, first=600.2)  # it failed before the reload
    (finding,) = found(line(), onset=wide, messages=(early,))
    assert finding.role is Role.CONTEXT


def test_a_message_that_names_another_mechanism_comes_first():
    new = message("SSL: certificate has expired", after=589)
    (finding,) = found(line(), messages=(new,))
    assert finding.role is Role.CONTEXT
    assert "certificate has expired" in finding.against[-1].says
    over = found(line(), onset=ONSET, messages=(message("timed out"),))
    assert over[0].role is Role.MECHANISM


def test_quiet_on_other_changes_without_onset_and_without_a_change():
    assert not found(line(kind="deploy"))
    assert not found()
    assert not found(line(), onset=None)
    assert not found(line(), onset=replace(ONSET, baseline_seen=False))
    assert not found(line(), changed=())
