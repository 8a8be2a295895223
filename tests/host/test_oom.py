"""OOM kills: this host as it is, and recorded kernel logs."""

from __future__ import annotations

import os

import pytest

import here
from locard.host import oom
from locard.investigate import discover
from locard.model.evidence import Output
from locard.model.target import Context, Process, Target
from support import run_probe

COUNTERS = ("grep", "/proc/vmstat", "/proc/uptime")


def read(kills, log, *, uptime=10_000.0, exit_code=0):
    text = f"/proc/vmstat:oom_kill {kills}\n/proc/uptime:{uptime} 1.0\n"
    (fact,) = oom.read(
        [Output(COUNTERS, text.encode()), Output(("/usr/bin/dmesg",), log, exit_code=exit_code)]
    )
    return fact.readings[0]


def test_this_host_with_a_target():
    me = Process(os.getpid(), 1, 0, 0.0, 0, "python3", ("python3",))
    target = Target("pid/1", "pid", "1", "here", (me,))
    groups = discover.cgroups(here.surroundings(target), "memory")
    _, (fact,) = run_probe(oom, Context(target, memory_cgroups=groups))
    host = fact.readings[0]
    assert host.name == "system.memory.oom_kills"
    assert host.verdict in {"ok", "warning", "critical", "unknown"}
    assert host.detail


def killed(at, words="Out of memory", name="gunicorn"):
    return f"[{at:12.6f}] {words}: Killed process 4242 ({name}) total-vm:1kB\n".encode()


@pytest.mark.parametrize(
    ("words", "who"),
    [("Out of memory", "the host ran out"), ("Memory cgroup out of memory", "by a cgroup's limit")],
)
def test_kills_of_the_last_hour(words, who):
    reading = read(3, killed(9_900.0, words))
    assert (reading.value, reading.verdict) == (1, "warning")
    assert "gunicorn (pid 4242) 100 s ago" in reading.detail
    assert who in reading.detail


def test_an_old_kill_is_history():
    assert read(1, killed(10.0)).verdict == "ok"


def test_a_log_that_may_not_be_read_leaves_it_unknown():
    assert read(1, b"", exit_code=1).verdict == "unknown"
    assert read(0, b"", exit_code=1).verdict == "ok"


def test_a_hostile_process_name_stays_one_field():
    reading = read(1, killed(9_999.0, name="x\x1b[31m"))
    assert reading.value == 1
    forged = b"[ 9999.000000] app says: nothing about (memory)\n"
    assert read(1, forged).value == 0


def test_kills_are_told_apart_by_the_victims_cgroup():
    def kill(pid, group, at):
        return (
            f"[{at:12.6f}] oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg={group},"
            f"task_memcg={group},task=app,pid={pid},uid=0\n"
            f"[{at:12.6f}] Memory cgroup out of memory: Killed process {pid} (app) total-vm:1kB\n"
        )

    # The first one hit an earlier group of the same path: this one has counted a single kill.
    log = kill(6, "/pods/mine", 9_800.0) + kill(7, "/pods/mine", 9_900.0)
    log += kill(8, "/pods/theirs", 9_950.0)
    events = "/sys/fs/cgroup/memory/pods/mine/memory.oom_control"
    above = "/sys/fs/cgroup/memory/pods/memory.oom_control"
    counts = f"{events}:oom_kill 1\n{above}:oom_kill 5\n".encode()
    text = b"/proc/vmstat:oom_kill 2\n/proc/uptime:10000.0 1.0\n"
    (fact,) = oom.read(
        [
            Output(COUNTERS, text),
            Output(("dmesg",), log.encode()),
            Output(("grep", "-s", events, above), counts),
        ]
    )
    found = {(r.name, r.subject): r for r in fact.readings}
    mine = found["system.memory.oom_kills", "the target's cgroups, last hour"]
    assert (mine.value, mine.of, mine.verdict) == (1, "target", "critical")
    assert "pid 7" in mine.detail
    earlier = found["system.memory.oom_kills", oom.EARLIER]
    assert (earlier.value, earlier.of, earlier.verdict) == (1, "target", "critical")
    assert "pid 6" in earlier.detail
    others = found["system.memory.oom_kills", "other cgroups, last hour"]
    assert (others.value, others.of, others.verdict) == (1, "strangers", "warning")
    own = found["container.memory.oom_kills", "cgroup /memory/pods/mine"]
    assert (own.of, own.verdict) == ("target", "warning")
    ancestor = found["container.memory.oom_kills", "cgroup /memory/pods"]
    assert (ancestor.of, ancestor.verdict) == ("strangers", "ok")


def test_a_unit_that_systemd_made_anew_counts_from_nothing():
    """Its own memory.events says 0: the kernel's log is what remembers."""
    group = "/system.slice/batch.service"
    log = "".join(
        f"[{at:12.6f}] oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg={group},task_memcg={group},"
        f"task=app,pid={pid},uid=0\n[{at:12.6f}] Memory cgroup out of memory: Killed process {pid} "
        "(app) total-vm:1kB\n"
        for pid, at in ((6, 9_800.0), (7, 9_900.0))
    )
    events = f"/sys/fs/cgroup{group}/memory.events"
    outputs = [
        Output(COUNTERS, b"/proc/vmstat:oom_kill 2\n/proc/uptime:10000.0 1.0\n"),
        Output(("dmesg",), log.encode()),
        Output(("grep", "-s", events), f"{events}:oom_kill 0\n".encode()),
    ]
    (fact,) = oom.read(outputs)
    (kills,) = [r for r in fact.readings if r.name == "system.memory.oom_kills"]
    assert (kills.value, kills.of, kills.verdict) == (2, "target", "critical")
    assert kills.subject == oom.EARLIER


def test_a_log_whose_reader_was_ended_is_not_called_unreadable():
    reading = read(1, killed(9_900.0), exit_code=-9)
    assert reading.verdict == "unknown"
    assert "dmesg was ended by signal 9" in reading.detail
