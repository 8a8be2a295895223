"""hot-function: busy threads that compute in one function while requests wait."""

from dataclasses import replace

from locard.model.kernel_facts import CountedStack
from locard.rules.hot_function import judge
from rules.builders import case, cpu, log, stack, stacks, trace


def computing(count=8, name="render"):
    inner = ("render.<locals>.<genexpr> app.py:5", "render app.py:4")
    return stacks(
        *(stack(n, 1, *(inner if n % 2 else inner[1:]), active=True) for n in range(count))
    )


def test_fires_and_takes_what_is_inside_the_function_for_it():
    (finding,) = judge(case(log(), computing(), cpu(0.98)))
    assert finding.title == "Busy threads burn CPU in render (pay/app.py)"
    assert "8 of 8" in finding.supports[0].says


def test_quiet_without_trouble_or_without_the_cpu():
    assert not list(judge(case(log(changed=()), computing(), cpu(0.98))))
    assert not list(judge(case(log(), computing(), cpu(0.1))))
    assert not list(judge(case(log(), computing(2), cpu(0.98))))


def profile(*stacks_):
    """Stacks of a profile as (frames outermost first, samples)."""
    every = tuple(CountedStack(frames, count, "samples", "w") for frames, count in stacks_)
    return replace(trace("profile", seconds=2.0), stacks=every)


def test_the_share_of_a_profile_is_said_with_its_interval():
    sampled = profile(
        (("run (pay/app.py:1)", "render (pay/app.py:4)", "fill (pay/app.py:9)"), 150.0),
        (("run (pay/app.py:1)",), 50.0),
    )
    (finding,) = judge(case(log(), computing(), cpu(0.98), sampled))
    assert (
        "150 of 200 samples (75 %, by chance 69% to 80%) of a profile of 2.0 s are in it or in what it calls"
        in finding.detail
    )
    (finding,) = judge(
        case(log(), computing(), cpu(0.98), profile((("render (pay/app.py:4)",), 9.0)))
    )
    assert "samples" not in finding.detail, "too few say nothing"


def test_a_profile_tells_where_looks_met_who_waits_for_its_turn_as_well():
    waits = [stack(n, 2, "render app.py:4") for n in range(6)]
    looks = stacks(*computing(3).stacks, *waits)
    sampled = profile((("run (pay/app.py:1)", "render (pay/app.py:4)"), 150.0))
    assert not list(judge(case(log(), looks, cpu(0.98))))
    (finding,) = judge(case(log(), looks, cpu(0.98), sampled))
    assert finding.title == "Busy threads burn CPU in render (pay/app.py)"
    elsewhere = profile((("render (pay/app.py:4)", "encode (json/encoder.py:9)"), 150.0))
    assert not list(judge(case(log(), looks, cpu(0.98), elsewhere)))


def test_watching_it_is_suggested_with_the_exact_command_and_what_it_takes():
    from locard.rules import _facts

    command = _facts.watch_command(7, "/srv/app/shop.py", "Order.pay.<locals>.<genexpr>")
    assert (
        command
        == "locard watch pid/7 app/shop.py:Order.pay --stats --callers --for 10s --allow injects"
    )
