"""event-loop-blocked: the thread of a loop seen in one function, again and again."""

from locard.model.contention import Contention, GlobalLock, LoopCallback
from locard.rules.event_loop_blocked import judge
from rules.builders import case, cpu, log, stack, stacks, waiting

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
    assert finding.title == "The event loop is blocked in login (pay/app.py:14), which computes"
    assert "0.90 CPUs" in finding.detail
    assert "many short ones" in finding.against[0].says, "no reader told the callbacks"


def test_without_trouble_it_says_so():
    (finding,) = judge(case(looks(5, 2)))
    assert "nothing else" in finding.against[0].says


def callbacks(count=5, kept=60.0, exact=True):
    return [LoopCallback(n, 7, 1, "asyncio", "login-3", kept, exact) for n in range(count)]


def test_fires_with_the_line_and_the_task_where_callbacks_were_told():
    said = Contention(callbacks=tuple(callbacks()))
    (finding,) = judge(case(log(), looks(5, 2), said))
    assert "each time in one callback for 60 ms and more; it ran task login-3" in finding.detail
    assert not finding.against


def test_fires_on_a_call_that_sleeps_in_the_kernel_and_names_it():
    recv = ("recv_into <lib>/ssl.py:1134", "fetch app.py:30", *LOOP)
    asleep = [waiting(n, 1, *recv, waits_for="tcp 1.2.3.4:5 -> 9.9.9.9:443") for n in range(4)]
    said = Contention(callbacks=tuple(callbacks(4, kept=0.0, exact=False)))
    (finding,) = judge(case(log(), stacks(*asleep), said))
    assert (
        finding.title == "The event loop is blocked in fetch (pay/app.py:30), waiting in recvfrom"
    )
    assert "in recvfrom tcp 1.2.3.4:5 -> 9.9.9.9:443, called by recv_into" in finding.detail


def test_quiet_on_a_loop_that_is_busy_with_many_short_callbacks():
    said = Contention(callbacks=tuple(callbacks(kept=10.0)))
    assert not list(judge(case(log(), looks(5, 2), said)))
    (finding,) = judge(case(log(), looks(5), Contention(callbacks=tuple(callbacks(exact=False)))))
    assert "many short ones" in finding.against[0].says


def test_quiet_where_the_loop_waits_for_the_gil_that_another_thread_keeps():
    locks = tuple(GlobalLock(n, 7, 9, (1,), 1.0, 0, 60.0, 60.0, 5.0) for n in range(5))
    said = Contention(locks=locks, callbacks=tuple(callbacks()))
    assert not list(judge(case(log(), looks(5), said)))


def test_quiet_on_a_loop_that_is_mostly_idle_or_no_loop_at_all():
    assert not list(judge(case(log(), looks(2, 5))))
    plain = stacks(*(stack(n, 1, "login app.py:14", active=True) for n in range(6)))
    assert not list(judge(case(log(), plain)))


def test_quiet_on_a_loop_of_a_library_that_waits_for_events():
    trio = ("get_events <lib>/trio/_core/_io_epoll.py:243", "run <lib>/trio/_core/_run.py:2535")
    asleep = [waiting(n, 1, *trio, "<module> app.py:8", syscall="epoll_wait") for n in range(6)]
    assert not list(judge(case(log(), stacks(*asleep))))
    asleep = [waiting(n, 1, "fetch app.py:3", *trio[1:], syscall="recvfrom") for n in range(6)]
    assert [f.rule for f in judge(case(log(), stacks(*asleep)))] == ["event-loop-blocked"]
