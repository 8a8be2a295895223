"""Descriptors of a real process that leaks them, of this host, and of one that is gone."""

from __future__ import annotations

from locard.host import fds
from locard.model.evidence import Output
from locard.model.target import Context, Process, Target
from support import run_probe


def context(*pids):
    processes = tuple(Process(p, 1, 0, 0.0, 0, "python3", ("python3",)) for p in pids)
    return Context(Target("pid/1", "pid", "1", "here", processes))


def test_a_leak_near_the_limit(start):
    leak, calm = start("fd_leak.py").pid, start("idle_pool.py").pid
    _, (fact,) = run_probe(fds, context(leak, calm))
    found = {r.subject: r for r in fact.readings}
    full = found[f"pid {leak}"]
    assert (full.limit, full.verdict) == (200, "critical")
    assert full.value >= 0.95 * 200
    assert "150 sockets" in full.detail
    assert found[f"pid {calm}"].verdict == "ok"
    assert found["system"].verdict == "ok"
    assert found["system"].limit > 0


def test_a_process_that_is_gone_is_unknown(start):
    ended = start("-c", "print('bye', flush=True)")
    ended.wait()
    _, (fact,) = run_probe(fds, context(ended.pid))
    (reading,) = [r for r in fact.readings if r.subject == f"pid {ended.pid}"]
    assert reading.verdict == "unknown"


def test_without_a_target_the_host_is_read():
    _, (fact,) = run_probe(fds, context())
    assert [r.subject for r in fact.readings] == ["system"]


def test_a_list_that_was_cut_is_no_count():
    """A program that was ended on the way lists a part of the descriptors."""
    limits = Output(("grep", "/proc/7/limits"), b"/proc/7/limits:Max open files 64 64 files\n")
    some = b"/proc/7/fd socket:[1]\n/proc/7/fd socket:[2]\n"
    argv = ("find", "/proc/7/fd")
    for end, verdict in (({}, "ok"), ({"exit_code": -9}, "unknown"), ({"exit_code": None, "timed_out": True}, "unknown")):  # fmt: skip
        (fact,) = fds.read([limits, Output(argv, some, **end)])
        (reading,) = [r for r in fact.readings if r.subject == "pid 7"]
        assert reading.verdict == verdict
        assert ("not all listed" in reading.detail) == (verdict == "unknown")
