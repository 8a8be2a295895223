"""hot-function: busy threads that compute in one function while requests wait."""

from locard.rules.hot_function import judge
from rules.builders import case, cpu, log, stack, stacks


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
