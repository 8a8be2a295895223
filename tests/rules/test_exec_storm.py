"""exec-storm: fires on many short programs; forks and a few starts are healthy."""

from locard.rules.exec_storm import judge
from rules.builders import case, row, trace


def test_fires_and_names_the_program():
    rows = (row("/bin/true", "ok", 150, p50_s=0.001), row("/bin/sh", "ok", 75, p50_s=0.004, pid=9))
    failed = row("/usr/local/bin/true", "ENOENT", 300)
    (finding,) = judge(case(trace("exec", *rows, failed)))
    assert finding.title == "45 programs a second are started, most often /bin/true"
    assert "300 attempts found no program" in finding.detail


def test_quiet_on_a_few_starts_and_on_failures_alone():
    assert not list(judge(case(trace("exec", row("/bin/cat", "ok", 1)))))
    assert not list(judge(case(trace("exec", row("/x/true", "ENOENT", 900)))))
