"""upstream-errors: a far end that hangs up or fails, in the words of several libraries."""

from dataclasses import replace

import pytest

from locard.model.log_facts import AffectedValue, BlastRadius
from locard.rules.upstream_errors import judge
from rules.builders import case, correlate, log, message


@pytest.mark.parametrize(
    ("text", "who"),
    [
        (
            'upstream prematurely closed connection, upstream: "http://10.0.0.9:3000/api"',
            "An upstream (for example 10.0.0.9:3000) closes",
        ),
        (
            "('Connection aborted.', RemoteDisconnected('Remote end closed connection'))",
            "An upstream",
        ),
        ("read ECONNRESET", "An upstream closes"),
        ("socket hang up", "An upstream closes"),
        ("HTTP 502 Bad Gateway from rates", "An upstream fails"),
    ],
)
def test_fires_and_says_who(text, who):
    said = log(changed=("errors",), messages=(message(text, after=38),), p99=(50.0, 50.0))
    (finding,) = judge(case(said))
    assert finding.title.startswith(who)
    assert not finding.against


def test_slower_requests_speak_against_it():
    said = log(changed=("errors",), messages=(message("socket hang up", after=38),))
    (finding,) = judge(case(said))
    assert "slower" in finding.against[0].says


def test_quiet_on_other_messages():
    assert not list(judge(case(log(changed=("errors",), messages=(message("boom", after=38),)))))


def test_quiet_where_each_of_several_upstreams_fails_or_one_group_of_callers():
    one = message("card-gateway answered 500", after=46)
    assert list(judge(case(log(changed=("errors",), messages=(one,)))))
    several = (
        one,
        message("fraud-service answered 500", after=44),
        message("fx-api answered 500", after=38),
    )
    assert not list(judge(case(log(changed=("errors",), messages=several))))
    instance = correlate(pod="pay-2")
    assert not list(judge(case(log(instance, changed=("errors",), messages=(one,)))))
    assert list(
        judge(case(log(correlate(upstream="card-gateway"), changed=("errors",), messages=(one,))))
    )


def test_quiet_where_other_names_that_say_the_same_fail_too():
    """Names such as payout-router do not say that they are upstreams; their messages do."""
    several = (
        message("payout-router answered 500", after=571),
        message("tax-service answered 500", after=326),
    )
    assert not list(judge(case(log(changed=("errors",), messages=several))))
    other = (
        message("tax-service answered 500", after=326),
        message("retry queue is full", after=571),
    )
    assert list(judge(case(log(changed=("errors",), messages=other))))


def test_fires_where_one_upstream_answers_with_several_codes():
    codes = (
        message("tax-service answered 500", after=30),
        message("tax-service answered 503", after=25),
    )
    assert list(judge(case(log(changed=("errors",), messages=codes))))


def test_quiet_where_every_upstream_that_the_log_names_fails():
    said = log(changed=("errors",), messages=(message("tax-service answered 500", after=326),))
    values = tuple(
        AffectedValue(name, 0.001, 0.8, 0.7, 0.9, 400) for name in ("tax-service", "ledger")
    )
    assert list(judge(case(said)))
    hit = replace(said, blast_radius=(BlastRadius("upstream", values, (), ()),))
    assert not list(judge(case(hit)))
