"""slow-syscall-disk: threads in fsync or state D, against threads that wait for a network."""

from dataclasses import replace

from locard.rules.slow_syscall_disk import judge
from rules.builders import case, log, state, states


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
