"""cpu-saturation: full CPUs count only if something waits, and by whose fault is said."""

from __future__ import annotations

from locard.model.finding import Role
from locard.rules.cpu_saturation import judge
from rules.builders import case, readings, row, trace

BUSY = ("system.cpu.utilization", "system busy", 0.99, "critical", 1.0)
QUEUE = ("system.cpu.run_queue", "system", 40, "critical", 2)
STALLED = ("system.psi.cpu.some", "system", 80, "critical")
USED = ("process.cpu.utilization", "pid 7", 1.9, "ok", 2.0)
LITTLE = ("process.cpu.utilization", "pid 7", 0.1, "ok", 2.0)


def found(*every):
    return list(judge(case(readings(*every))))


def test_fires_as_a_mechanism_when_all_of_it_is_bad():
    (finding,) = found(BUSY, QUEUE, STALLED, USED)
    assert finding.role is Role.MECHANISM
    assert any("the target's processes use 1.90 of 2 CPUs" in s.says for s in finding.supports)
    assert finding.next_commands == ("top -H -b -n 1 -p 7",)


def test_fires_as_background_when_others_use_them():
    (finding,) = found(BUSY, QUEUE, STALLED, LITTLE)
    assert finding.role is Role.CONTEXT
    assert finding.against


def test_fires_as_background_on_a_warning():
    assert found(BUSY, (*QUEUE[:3], "warning", 2))[0].role is Role.CONTEXT


def test_quiet_if_nothing_waits_or_nothing_is_known():
    assert found(BUSY, (*QUEUE[:3], "ok", 2)) == []
    assert found(QUEUE) == []
    assert found((*BUSY[:3], "unknown"), STALLED) == []


WAITED = row("waited for a CPU", "", 100, thread="worker", total_s=2.5, p99_s=0.04, max_s=0.06)
STRESS = row("stress", "ran instead", 90, total_s=2.4)


def test_fires_on_threads_that_wait_to_run_and_says_behind_whom():
    (finding,) = judge(case(trace("run-queue", WAITED, STRESS)))
    assert finding.title == "Threads wait to run: worker for 50 % of the time, most behind stress"


def test_quiet_where_a_limit_stopped_them_or_they_hardly_waited():
    limit = row("CPU limit of cgroup /case", "throttled", 12, total_s=2.3)
    short = row("waited for a CPU", "", 100, thread="worker", total_s=0.05)
    assert not list(judge(case(trace("run-queue", WAITED, limit))))
    assert not list(judge(case(trace("run-queue", short, STRESS))))
