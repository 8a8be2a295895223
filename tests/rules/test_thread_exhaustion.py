"""thread-exhaustion: a pool whose threads are all at work while its queue does not become shorter."""

from locard.model.facts import ThreadPool, ThreadPools
from locard.model.finding import Role, Severity
from locard.rules.thread_exhaustion import judge
from rules.builders import IDLE, case, stack, stacks

JOB = ("recv <lib>/socket.py:10", "export app.py:7", "run <lib>/concurrent/futures/thread.py:58")


def pool(at, queued, most=3, tids=(1, 2, 3)):
    return ThreadPool(at, 7, "exports", 64, most, tids, queued)


def found(pools, *every):
    return list(judge(case(stacks(*every), ThreadPools(tuple(pools)))))


def at_work(rounds=2, tids=(1, 2, 3)):
    return [stack(r, t, *JOB) for r in range(rounds) for t in tids]


def test_fires_where_all_threads_are_in_a_job_and_work_waits():
    (finding,) = found([pool(0, 20), pool(1, 24)], *at_work())
    assert (
        finding.title
        == "Thread pool exports is full: 3 of 3 threads in export (pay/app.py:7), 24 pieces of work waiting"
    )
    assert (
        "24 pieces of work stood in its queue at the last look, 20 at the first" in finding.detail
    )
    assert not finding.against


def test_quiet_where_there_is_room_or_nothing_waits_or_a_thread_is_idle():
    assert not found([pool(0, 20, most=4), pool(1, 24, most=4)], *at_work())
    assert not found([pool(0, 20), pool(1, 0)], *at_work())
    assert not found([pool(0, None), pool(1, None)], *at_work())
    idle = [stack(r, 3, *IDLE) for r in range(2)]
    assert not found([pool(0, 20), pool(1, 24)], *at_work(tids=(1, 2)), *idle)


def test_a_queue_that_becomes_shorter_and_a_single_look_speak_against_it():
    (finding,) = found([pool(0, 20), pool(1, 9)], *at_work())
    assert [s.says for s in finding.against] == ["its queue became shorter meanwhile"]
    (finding,) = found([pool(0, 20)], *at_work(1))
    assert [s.says for s in finding.against] == ["it was seen at one moment only"]


def test_a_pool_whose_threads_wait_for_another_is_context_and_no_mechanism():
    result = (
        "wait <lib>/threading.py:320",
        "result <lib>/concurrent/futures/_base.py:451",
        *JOB[1:],
    )
    waits = [stack(r, t, *result) for r in range(2) for t in (1, 2, 3)]
    (finding,) = found([pool(0, 20), pool(1, 24)], *waits)
    assert (finding.role, finding.severity) == (Role.CONTEXT, Severity.INFO)
    assert finding.title.endswith("they wait for others")


def test_the_job_is_named_beside_the_line():
    job = ("recv <lib>/socket.py:10", "exchange store.py:25", "deliver notices.py:38", JOB[-1])
    (finding,) = found(
        [pool(0, 20), pool(1, 24)], *[stack(r, t, *job) for r in range(2) for t in (1, 2, 3)]
    )
    assert "in exchange (pay/store.py:25), called by deliver (pay/notices.py:38)" in finding.title
