"""gil-contention: threads inside of the interpreter's lock at look after look, with who has it."""

from locard.model.contention import Contention, GlobalLock
from locard.rules.gil_contention import judge
from rules.builders import case, log, row, stack, stacks, trace


def lock(at, queue=2.0, kept=0.0, switches=12, holder=1):
    return GlobalLock(at, 7, holder, (2, 3), queue, switches, kept, 60.0, 5.0)


def spinning(rounds=4, line=6):
    return [stack(n, 1, f"score rank.py:{line}", active=True) for n in range(rounds)]


def found(locks, *every, facts=()):
    return list(judge(case(*facts, stacks(*every), Contention(locks=tuple(locks)))))


def test_fires_on_threads_that_take_turns():
    (finding,) = found([lock(n) for n in range(4)], *spinning())
    assert finding.title == "2 threads wait for Python's GIL, most held in score (pay/rank.py:6)"
    assert "at 4 of 4 looks threads of pid 7 waited for its GIL, 2.0 on average" in finding.detail
    assert "it changed hands 200 times a second" in finding.detail
    assert finding.against


def test_fires_on_one_call_that_keeps_it_though_only_one_waits():
    kept = [lock(n, queue=0.9, kept=60.0, switches=0) for n in range(4)]
    traced = trace("gil-wait", row("GIL", pid=7, total_s=4.0))
    (finding,) = found(kept, *spinning(), facts=(log(), traced))
    assert (
        finding.title == "A call in score (pay/rank.py:6) keeps Python's GIL, 1 thread waits for it"
    )
    assert "asked to every 5 ms: one call into C that keeps it" in finding.detail
    assert "waited 4.0 s for the GIL in 5.0 s" in finding.detail
    assert not finding.against


def test_quiet_where_few_wait_or_at_few_looks_or_nobody():
    assert not found([lock(n, queue=0.6) for n in range(4)], *spinning())
    assert not found([lock(0)], *spinning())
    assert not found([], *spinning())


def test_a_holder_that_is_not_among_the_stacks_is_not_named():
    (finding,) = found([lock(n, holder=99) for n in range(4)], *spinning())
    assert finding.title == "2 threads wait for Python's GIL"
