"""event-loop-blocked: the thread of a loop seen in one function, again and again."""

from locard.rules.event_loop_blocked import judge
from rules.builders import case, cpu, log, stack, stacks

LOOP = (
    "_run <lib>/asyncio/events.py:84", "_run_once <lib>/asyncio/base_events.py:1936",
    "run_forever <lib>/asyncio/base_events.py:608",
)  # fmt: skip
IDLE = ("select <lib>/selectors.py:468", *LOOP[1:])


def looks(busy, idle=0, line=14):
    at_work = [stack(n, 1, f"login app.py:{line + n % 2}", *LOOP, active=True) for n in range(busy)]
    return stacks(*at_work, *(stack(busy + n, 1, *IDLE) for n in range(idle)))


def test_fires_on_a_function_that_keeps_the_loop():
    (finding,) = judge(case(log(), looks(5, 2), cpu(0.9)))
    assert finding.title == "The event loop is blocked in login (pay/app.py)"
    assert "0.90 CPUs" in finding.detail
    assert not finding.against


def test_without_trouble_it_says_so():
    (finding,) = judge(case(looks(5, 2)))
    assert "nothing else" in finding.against[0].says


def test_quiet_on_a_loop_that_is_mostly_idle_or_no_loop_at_all():
    assert not list(judge(case(log(), looks(2, 5))))
    plain = stacks(*(stack(n, 1, "login app.py:14", active=True) for n in range(6)))
    assert not list(judge(case(log(), plain)))
