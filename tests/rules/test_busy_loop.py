"""busy-loop: fires where polls return at once and nothing is done; a busy server is healthy."""

from locard.rules.busy_loop import judge
from rules.builders import case, row, system_calls

SPIN = row("epoll_wait", count=400_000, p50_s=5e-7, total_s=0.3)
HUNG_UP = row("descriptor 11", "ERR+HUP", 400_000, detail="a socket that is not connected")


def test_fires_and_names_the_descriptor_that_is_hung_up():
    few = row("recvfrom", count=100, bytes=400, total_s=0.01)
    (finding,) = judge(case(system_calls(SPIN, few, ready=(HUNG_UP,))))
    assert finding.title.startswith("A thread spins in epoll_wait: 80,000 returns a second")
    assert (
        "epoll reports descriptor 11 (a socket that is not connected) with ERR+HUP" in finding.title
    )


def test_fires_on_a_read_that_says_not_now_again_and_again():
    reads = row("read", count=100_000, errors=100_000, bytes=0, p50_s=4e-7)
    errors = (row("read", "EAGAIN", 100_000),)
    (finding,) = judge(case(system_calls(reads, errors=errors)))
    assert "spins in read" in finding.title


def test_quiet_where_each_return_is_followed_by_work_or_the_poll_waits():
    work = row("recvfrom", count=400_000, bytes=4_000_000, total_s=0.3)
    assert not list(judge(case(system_calls(SPIN, work))))
    slow = row("epoll_wait", count=400_000, p50_s=5e-3)
    assert not list(judge(case(system_calls(slow))))
    assert not list(judge(case(system_calls(row("epoll_wait", count=900, p50_s=5e-7)))))
    reads = row("read", count=100_000, errors=0, bytes=6_000_000, p50_s=4e-7)
    assert not list(judge(case(system_calls(reads))))
