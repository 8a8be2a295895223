"""deadlock: a circle of owners, and an owner that is not there."""

from dataclasses import replace

from locard.model.facts import WaitedLock
from locard.rules.deadlock import judge
from rules.builders import case, stack, stacks


def at_lock(at, tid, owner, address=16, *, sure=True, orphaned=False, recorded=True):
    lock = WaitedLock("RLock", "", address, sure, recorded, owner, orphaned)
    return replace(stack(at, tid, "read driver.py:8"), lock=lock)


def test_fires_once_on_a_circle_and_who_waits_for_it_is_no_part_of_it():
    looks = [(n, (at_lock(n, 1, 2), at_lock(n, 2, 1, 32), at_lock(n, 3, 2))) for n in (0, 1)]
    (finding,) = judge(case(stacks(*(s for _, every in looks for s in every))))
    assert (
        finding.title == "Deadlock of 2 threads: worker-1 and worker-2 wait for each other's locks"
    )
    assert "worker-3" not in finding.detail
    assert "the same at 2 moments" in finding.detail
    assert not finding.against


def test_quiet_on_a_chain():
    assert not list(
        judge(case(stacks(at_lock(0, 1, 2), at_lock(0, 2, 3), stack(0, 3, "sleep a.py:1"))))
    )


def test_fires_on_a_lock_whose_owner_is_not_there():
    found = stacks(*(at_lock(n, 1, None, orphaned=True) for n in (0, 1)))
    (finding,) = judge(case(found))
    assert "held by a thread which process 7 does not have" in finding.title
    assert not list(judge(case(stacks(at_lock(0, 1, 9), at_lock(1, 1, 9)))))


def test_quiet_where_no_owner_is_recorded():
    found = stacks(*(at_lock(n, t, None, recorded=False) for n in (0, 1) for t in (1, 2)))
    assert not list(judge(case(found)))


def test_one_moment_and_a_lock_that_is_not_sure_speak_against_it():
    (finding,) = judge(case(stacks(at_lock(0, 1, 2, sure=False), at_lock(0, 2, 1, 32, sure=False))))
    assert [s.says for s in finding.against] == [
        "it was seen at one moment only",
        "which lock it is was told by its being the only one in the innermost frames",
    ]


def test_what_the_kernel_says_is_said_of_rlocks_alone():
    waits = replace(at_lock(0, 1, 2), lock=WaitedLock("import lock", "geometry", 16, True, True, 2))
    (finding,) = judge(case(stacks(waits, at_lock(0, 2, 1, 32, sure=False))))
    assert "which import lock it is stands in the frame" in finding.detail
    assert "the kernel has" not in finding.detail
