"""fd-exhaustion: from /proc, from metrics and from what the log says."""

from __future__ import annotations

from locard.model.evidence import Layer
from locard.model.finding import Role, Severity
from locard.rules.fd_exhaustion import judge
from rules.builders import case, log, message, readings, row, system_calls

NAME = "process.unix.file_descriptor.count"
FULL = readings((NAME, "pid 7", 196, "critical", 200))
NEAR = readings((NAME, "pid 7", 170, "warning", 200))
SAID = log(messages=(message("[Errno 24] Too many open files"),))


def found(*facts):
    return list(judge(case(*facts)))


def test_fires_when_a_process_runs_out():
    (finding,) = found(FULL)
    assert "pid 7 has 196 of 200 open" in finding.title
    assert finding.role is Role.MECHANISM
    assert finding.next_commands == ("ls -l /proc/7/fd",)


def test_fires_when_the_log_says_so():
    (finding,) = found(SAID, NEAR)
    assert finding.role is Role.MECHANISM
    assert {s.layer for s in finding.supports} == {Layer.LOGS, Layer.HOST}
    assert found(SAID)[0].layer is Layer.HOST


def test_fires_as_background_while_it_only_comes_near():
    (finding,) = found(NEAR)
    assert (finding.role, finding.severity) == (Role.CONTEXT, Severity.WARNING)


def test_a_log_without_change_speaks_against_it():
    (finding,) = found(log(changed=()), FULL)
    assert finding.role is Role.CONTEXT
    assert finding.against


def test_quiet_on_ok_unknown_and_nothing():
    for verdict in ("ok", "unknown"):
        assert found(readings((NAME, "pid 7", 10, verdict, 200))) == []
    assert found(log(messages=(message("request completed"),))) == []
    assert found() == []


def test_fires_with_the_leak_that_takes_them():
    full = ("process.unix.file_descriptor.count", "pid 7", 255, "critical", 256)
    leak = ("process.network.close_wait.count", "peer 127.0.0.1:9102", 250, "warning")
    (finding,) = judge(case(readings(full, leak)))
    assert finding.next_commands == ("ss -tanp state close-wait", "ls -l /proc/7/fd")
    assert any("127.0.0.1:9102" in s.says for s in finding.supports)
    (alone,) = judge(case(readings(full)))
    assert alone.next_commands == ("ls -l /proc/7/fd",)


def test_fires_on_calls_that_the_kernel_refused_for_want_of_descriptors():
    (finding,) = judge(case(system_calls(errors=(row("accept4", "EMFILE", 40),))))
    assert finding.title == "File descriptors ran out"
    assert "40 calls of accept4 failed with EMFILE" in finding.detail


def test_quiet_on_other_errors():
    assert not list(judge(case(system_calls(errors=(row("accept4", "EAGAIN", 40),)))))
