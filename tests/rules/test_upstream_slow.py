"""upstream-slow: the layers that speak for it and against it, alone and together."""

from __future__ import annotations

import pytest

from locard.model.evidence import Layer
from locard.model.finding import Confidence, Role
from locard.rules.upstream_slow import judge
from rules.builders import (
    AS_BEFORE,
    OTHER,
    SLOW,
    calling,
    calls,
    case,
    correlate,
    in_call,
    log,
    message,
    peer,
    peers,
    row,
    stack,
    stacks,
    state,
    states,
    trace,
)

HIT = correlate(upstream="bank", region="eu-1", user_segment="gold")
PEER, OTHER_PEER = "127.0.0.1:9102", "127.0.0.1:9103"
IN_CALLS = stacks(*[in_call(r, t) for r in range(3) for t in (1, 2)])
WAITING = states(*[state(r, t, "recvfrom", peer=PEER) for r in range(3) for t in (1, 2)])
ELSEWHERE = states(*[state(r, t, "recvfrom", peer=OTHER_PEER) for r in range(3) for t in (1, 2)])
AT_A_LOCK = stacks(
    *[stack(r, t, "reserve keys.py:24", "handle app.py:20") for r in range(3) for t in range(4)]
)


def found(*facts):
    return list(judge(case(*facts)))


def test_fires_when_all_layers_agree():
    (finding,) = found(log(HIT), calls(SLOW, OTHER), IN_CALLS, WAITING)
    assert finding.rule == "upstream-slow"
    assert finding.role is Role.MECHANISM
    assert finding.confidence is Confidence.STRONG
    assert {s.layer for s in finding.supports} == {
        Layer.LOGS, Layer.METRICS, Layer.RUNTIME, Layer.KERNEL,
    }  # fmt: skip
    assert finding.against == ()
    assert finding.values == HIT.values
    assert finding.explains == HIT.share_of_excess
    assert "bank" in finding.title
    assert "region=eu-1" in finding.title
    assert finding.next_commands == ("ss -tnpi dst 127.0.0.1 dport = :9102",)


def test_fires_on_the_log_alone_but_weakly():
    (finding,) = found(log(HIT))
    assert finding.confidence is Confidence.WEAK


def test_fires_on_time_outs_even_if_the_log_has_no_durations():
    timeouts = message("bank timed out after 2.0 s (127.0.0.1:9102)")
    (finding,) = found(
        log(HIT, changed=("errors",), p99=(None, None), messages=(timeouts,)), WAITING
    )
    assert "wait for 127.0.0.1:9102 (bank)" in finding.supports[1].says


def test_fires_without_logs_if_metrics_and_threads_agree():
    (finding,) = found(calls(SLOW, OTHER), WAITING)
    assert finding.values == (("upstream", "bank"),)
    assert finding.explains is None
    assert {s.layer for s in finding.supports} == {Layer.METRICS, Layer.KERNEL}


def test_fires_with_what_speaks_against_it():
    (finding,) = found(log(HIT), calls(AS_BEFORE, OTHER), AT_A_LOCK)
    assert {s.layer for s in finding.against} == {Layer.METRICS, Layer.RUNTIME}
    assert finding.confidence is Confidence.WEAK


def test_another_peer_speaks_against_it():
    timeouts = message(f"bank timed out ({PEER})")
    both = states(state(0, 9, "recvfrom", peer=PEER), *ELSEWHERE.states, *ELSEWHERE.states)
    (finding,) = found(log(HIT, messages=(timeouts,)), both)
    assert "not for 127.0.0.1:9102 (bank)" in finding.against[0].says


def test_a_better_correlate_speaks_against_it():
    (finding,) = found(log(correlate(share=0.3, upstream="bank"), correlate(share=0.9, route="/x")))
    assert "route=/x explains more" in finding.against[0].says


def test_a_log_without_change_speaks_against_the_metrics():
    (finding,) = found(log(changed=()), calls(SLOW, OTHER), WAITING)
    assert [s.layer for s in finding.against] == [Layer.LOGS]


@pytest.mark.parametrize(
    "facts",
    [
        (log(HIT, changed=()),),
        (log(HIT, changed=("errors",), p99=(50.0, 51.0)),),
        (log(correlate(region="eu-1")),),
        (log(correlate(upstream="bank", share=0.1)),),
        (log(correlate(upstream="bank", p_value=0.2)),),
        (log(correlate(upstream="bank", share=0.3)), calls(AS_BEFORE, OTHER)),
        (calls(AS_BEFORE, OTHER), IN_CALLS, WAITING),
        (IN_CALLS, WAITING),
        (calls(SLOW, OTHER),),
        (calls(SLOW, ("cards", 0.02, 0.4, 0.01, 0.3, 60)), WAITING),
        (calls(("bank", 0.02, 0.04, 0.04, 0.1, 10)), WAITING),
        (log(), calls(AS_BEFORE), IN_CALLS, WAITING),
        (),
    ],
    ids=[
        "nothing changed: as slow before",
        "it fails at once",
        "no upstream among the correlates",
        "too little explained",
        "by chance",
        "not the story, and as fast as before",
        "a healthy service is mostly in calls",
        "only threads",
        "only metrics",
        "all upstreams at once",
        "too few calls",
        "everyone is hit",
        "nothing known",
    ],
)
def test_quiet(facts):
    assert found(*facts) == []


def test_fires_on_the_peer_that_busy_threads_wait_for():
    (finding,) = judge(case(log(), calling("10.0.0.9:3000"), peers(peer("10.0.0.9:3000"))))
    assert finding.title == "Busy threads wait for the answer of 10.0.0.9:3000"
    assert finding.next_commands == ("ss -tnpi dst 10.0.0.9 dport = :3000",)


def test_quiet_on_threads_that_wait_while_all_is_well_or_for_what_other_rules_name():
    assert not list(judge(case(log(changed=()), calling("10.0.0.9:3000"))))
    assert not list(judge(case(log(), calling("10.0.0.9:53"))))
    blocked = peers(peer("10.0.0.9:5432", ("SELECT waiting", 3)))
    assert not list(judge(case(log(), calling("10.0.0.9:5432"), blocked)))
    assert not list(judge(case(log(), calling("10.0.0.9:3000", syscall="connect"))))


def test_fires_on_a_peer_whose_connections_take_long():
    rows = (
        row("127.0.0.8:80", "ok", 5, p50_s=1.02, max_s=1.04, detail="5 SYNs sent again"),
        row("127.0.0.1:80", "ok", 50, p50_s=0.0001),
    )
    (finding,) = judge(case(trace("tcp-connect-latency", *rows)))
    assert finding.title == "Connections to 127.0.0.8:80 take 1.02 s to come about"
    assert "127.0.0.1:80 answers in time" in finding.detail


def test_quiet_on_quick_connects_and_a_few_slow_ones():
    rows = (row("127.0.0.1:80", "ok", 50, p50_s=0.0001), row("127.0.0.8:80", "ok", 1, p50_s=1.0))
    assert not list(judge(case(trace("tcp-connect-latency", *rows))))
