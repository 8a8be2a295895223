"""retry-storm: more lines a request than before; users who come in numbers are none."""

from dataclasses import replace

from locard.model.finding import Role
from locard.model.log_facts import Attempts, GroupCount
from locard.rules.retry_storm import judge
from rules.builders import case, log


def found(attempts, groups=(), **options):
    summary = replace(log(changed=("errors",), **options), attempts=attempts, groups=groups)
    return list(judge(case(summary)))


def test_fires_when_each_request_comes_more_often():
    (finding,) = found(Attempts(100, 6000, 5900, 50, 6000, 2950))
    assert finding.role is Role.MECHANISM
    assert "comes 2.03 times, 1.02 times before" in finding.title
    assert "60.0 requests/s before, 120.0 after" in finding.detail
    assert not finding.against


def test_fires_but_says_that_users_came_too():
    (finding,) = found(Attempts(100, 6000, 6000, 50, 12000, 6000))
    assert "2.0 times as many different requests" in finding.against[0].says


def test_fires_but_says_that_the_traffic_did_not_rise():
    (finding,) = found(Attempts(100, 6000, 6000, 50, 3000, 1500))
    assert "did not rise" in finding.against[0].says


def attempt(value, before, after):
    return GroupCount("retry_count", value, before, 0, after, 0)


def test_fires_on_a_field_that_counts_attempts():
    groups = (attempt("0", 5900, 1000), attempt("1", 100, 600), attempt("2", 0, 400))
    (finding,) = found(None, groups)
    assert "50 % of the requests are repeated ones by their retry_count" in finding.title


def test_quiet_if_retries_were_there_before_or_are_few():
    assert not found(Attempts(100, 6000, 4500, 50, 6000, 4500))
    assert not found(Attempts(100, 6000, 6000, 50, 3300, 3000))
    assert not found(Attempts(10, 60, 60, 5, 30, 20)), "too few to tell"
    assert not found(None, (attempt("0", 600, 300), attempt("1", 300, 150)))
    assert not found(None)


def test_quiet_if_nothing_got_worse():
    summary = replace(log(changed=()), attempts=Attempts(100, 6000, 5900, 50, 6000, 2950))
    assert not list(judge(case(summary)))
