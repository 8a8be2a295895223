"""thread-saturated: one thread of a process, or of a peer, that is never idle."""

from dataclasses import replace

from locard.model.finding import Role
from locard.rules.thread_saturated import judge
from rules.builders import calling, case, cpu, log, peer, peers, state, states

ADDRESS = "127.0.0.1:6379"


def looks(running=6, of=6):
    main = [replace(state(n, 7, None), state="R" if n < running else "S") for n in range(of)]
    return states(*main, *(state(n, 8) for n in range(of)))


def test_fires_on_the_one_thread_of_the_target():
    (finding,) = judge(case(log(), looks(), cpu(0.99)))
    assert "python3 (pid 7)" in finding.title
    assert finding.role is Role.MECHANISM


def test_without_trouble_it_is_background():
    (finding,) = judge(case(log(changed=()), looks(), cpu(0.99)))
    assert finding.role is Role.CONTEXT


def test_a_peer_that_the_threads_wait_for():
    redis = peer(ADDRESS, pid=9, process="redis-server", cpu=1.0)
    (finding,) = judge(case(log(), calling(ADDRESS), peers(redis)))
    assert finding.next_commands == ("redis-cli -h 127.0.0.1 -p 6379 slowlog get 10",)


def test_quiet_if_it_rests_or_uses_little_or_several_threads_run():
    assert not list(judge(case(log(), looks(3), cpu(0.99))))
    assert not list(judge(case(log(), looks(), cpu(0.4))))
    both = states(*(replace(state(n, t, None), state="R") for n in range(6) for t in (7, 8)))
    assert not list(judge(case(log(), both, cpu(1.0))))
