"""cpu-throttled: a mechanism only if it is new and users feel it, else background."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

import here
from locard.host import cpu
from locard.investigate import discover
from locard.model.evidence import Layer
from locard.model.finding import Role, Severity
from locard.model.log_facts import Onset
from locard.model.target import Context, Process, Target
from locard.rules.cpu_throttled import judge
from rules.builders import case, log, readings, row, trace
from support import run_probe

NOW, EVER = "container.cpu.throttled_share", "container.cpu.throttled_share.lifetime"
POD = "cgroup /cpu/pods/a b"
STOPPED = (NOW, POD, 0.9, "critical", 1.0)
AT_TIMES = (NOW, POD, 0.4, "warning", 1.0)
SLOWER = log()


def found(*facts):
    return list(judge(case(*facts)))


def test_fires_as_a_mechanism_if_it_is_new_and_requests_got_slower():
    (finding,) = found(SLOWER, readings(STOPPED, (EVER, POD, 0.1, "ok", 1.0)))
    assert finding.role is Role.MECHANISM
    assert "90% of the periods" in finding.title
    assert {s.layer for s in finding.supports} == {Layer.LOGS, Layer.HOST}
    assert finding.next_commands == ("grep -s '' '/sys/fs/cgroup/cpu/pods/a b'/cpu.*",)


@pytest.mark.parametrize(
    "facts",
    [
        (readings(STOPPED),),
        (log(changed=("errors",)), readings(STOPPED)),
        (SLOWER, readings(AT_TIMES)),
        (SLOWER, readings(STOPPED, (EVER, POD, 0.85, "ok", 1.0))),
    ],
    ids=["no logs", "only errors changed", "only at times", "as much as ever"],
)
def test_fires_as_background(facts):
    (finding,) = found(*facts)
    assert finding.role is Role.CONTEXT


TIME = "container.cpu.quota.accounted_time"


def began(ago, share, counted):
    """Throttled at times now; an onset some seconds ago, and what the counters hold."""
    onset = Onset(1_000.0 - ago - 1, 1_000.0 - ago, 0.95)
    return found(
        replace(SLOWER, onset=onset),
        readings(AT_TIMES, (EVER, POD, share, "ok", 1.0), (TIME, POD, counted, "ok")),
    )


def test_fires_as_a_mechanism_if_it_began_at_the_onset():
    """A quota that is as new as the onset: all of its counters are of the time since."""
    (finding,) = began(40, share=0.4, counted=38)
    assert finding.role is Role.MECHANISM
    assert any("as new as the onset" in s.says for s in finding.supports)
    (finding,) = began(40, share=0.04, counted=400)
    assert finding.role is Role.MECHANISM
    assert any("before the onset it was stopped in 0.0%" in s.says for s in finding.supports)


def test_fires_as_background_if_it_was_so_before_the_onset():
    (finding,) = began(40, share=0.4, counted=4000)
    assert finding.role is Role.CONTEXT
    assert any("nothing new" in s.says for s in finding.against)


def test_the_worst_of_several_is_named():
    (finding,) = found(readings(AT_TIMES, (NOW, "cgroup /cpu", 0.8, "critical", 1.0)))
    assert "cgroup /cpu stops" in finding.title
    assert len(finding.supports) == 2


def test_quiet_on_ok_unknown_and_nothing():
    for verdict in ("ok", "unknown"):
        assert found(SLOWER, readings((NOW, POD, 0.1, verdict, 1.0))) == []
    assert found(SLOWER, readings((EVER, POD, 0.9, "ok", 1.0))) == []
    assert found() == []


@pytest.fixture
def group():
    path = Path(f"/sys/fs/cgroup/cpu/locard-rule-{os.getpid()}")
    try:
        path.mkdir()
        (path / "cpu.cfs_quota_us").write_text("-1")
    except OSError as error:
        pytest.skip(f"no cpu cgroup (v1) can be made here: {error}")
    yield path
    for pid in (path / "cgroup.procs").read_text().split():
        (path.parent / "cgroup.procs").write_text(pid)
    path.rmdir()


@pytest.mark.parametrize(("quota_us", "fires"), [(20_000, True), (150_000, False)])
def test_fires_on_a_real_cgroup_and_not_on_its_near_miss(group, start, quota_us, fires):
    program = start("-c", "print('ready', flush=True)\nwhile True: pass")
    (group / "cpu.cfs_quota_us").write_text(str(quota_us))
    (group / "cgroup.procs").write_text(str(program.pid))
    me = Process(program.pid, 1, 0, 0.0, 0, "python3", ("python3",))
    target = Target("pid/1", "pid", "1", "here", (me,))
    context = Context(
        target, pause_s=0.6, cpu_cgroups=discover.cgroups(here.surroundings(target), "cpu")
    )
    findings = found(SLOWER, *run_probe(cpu, context)[1])
    assert bool(findings) is fires
    assert all(f.severity is Severity.CRITICAL and group.name in f.title for f in findings)


def test_fires_on_what_cpu_stat_says_beside_the_run_queue():
    limit = row("CPU limit of cgroup /case", "throttled", 12, total_s=0.8)
    (finding,) = judge(case(trace("run-queue", limit)))
    assert finding.title == "The CPU limit of cgroup /case stops the target: 12 times in 5.0 s"


def test_quiet_where_the_limit_hardly_stopped_it():
    limit = row("CPU limit of cgroup /case", "throttled", 1, total_s=0.02)
    assert not list(judge(case(trace("run-queue", limit))))
