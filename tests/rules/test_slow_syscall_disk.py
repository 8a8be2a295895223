"""slow-syscall-disk: threads in fsync or state D, against threads that wait for a network."""

from dataclasses import replace

from locard.rules.slow_syscall_disk import judge
from rules.builders import case, log, row, state, states, system_calls, thread_wait, waits


def syncing(count=6):
    return states(
        *(
            replace(state(n, n, "fsync", waits_for="file /var/lib/pay/wal"), state="D")
            for n in range(count)
        )
    )


def test_fires_on_threads_in_fsync():
    (finding,) = judge(case(log(), syncing()))
    assert finding.title == "Threads wait for the disk in fsync (file /var/lib/pay/wal)"


def test_quiet_where_all_is_well_few_wait_or_they_wait_for_a_peer():
    assert not list(judge(case(log(changed=()), syncing())))
    assert not list(judge(case(log(), syncing(2))))
    calls = states(*(state(n, n, "recvfrom", peer="10.0.0.9:80") for n in range(8)))
    assert not list(judge(case(log(), calls)))


def slow_write(**more):
    given = {
        "count": 26,
        "total_s": 4.7,
        "p50_s": 0.19,
        "max_s": 0.193,
        "detail": "file, on /dev/loop0",
        "pid": 7,
    }
    return row("/srv/wal", "pwrite64", **(given | more))


def test_fires_on_a_write_that_is_slow_by_its_own_count_and_names_the_device():
    seen = thread_wait(
        state="D", call="pwrite64", doing="waits uninterruptibly, on", what="file /srv/wal"
    )
    (finding,) = judge(case(system_calls(files=(slow_write(),)), waits(seen)))
    assert finding.title == "pwrite64 on /srv/wal takes 190 ms, on /dev/loop0"
    assert "t-8 was seen in state D in pwrite64 on it 90 % of the time" in finding.detail


def test_quiet_where_the_slow_read_is_of_a_pipe_or_the_writes_are_fast():
    pipe = row("pipe 9", "read", 9, total_s=4.5, p50_s=0.5, max_s=0.5, detail="pipe")
    fast = slow_write(count=446, total_s=0.24, p50_s=0.0004, max_s=0.01)
    rare = slow_write(count=2, total_s=0.1)
    for quiet in (pipe, fast, rare):
        assert not list(judge(case(system_calls(files=(quiet,)))))
