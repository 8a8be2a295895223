import os
import signal
import subprocess
import sys

import pytest

import here
from locard.investigate import resolve
from locard.model.errors import AmbiguousTargetError, TargetNotFoundError, UsageError
from locard.model.process_table import ProcessTable
from locard.model.target import Process

FAMILY = """
import os, sys, time
for _ in range(2):
    if os.fork() == 0:
        time.sleep(300)
print(os.getpid(), flush=True)
time.sleep(300)
"""


@pytest.fixture
def family(start):
    """A parent with two children; the marker stands in all three command lines."""
    marker = f"family-{os.getpid()}"
    process = start("-c", FAMILY, marker, start_new_session=True)
    yield process, marker
    os.killpg(process.pid, signal.SIGKILL)


def test_pid_is_the_whole_tree_root_first(family):
    process, _ = family
    target = here.find(f"pid/{process.pid}")
    assert target.pids[0] == process.pid
    assert len(target.pids) == 3
    assert all(p.start_ticks > 0 and p.started > 0 for p in target.processes)
    assert here.find(str(process.pid)).pids == target.pids


def test_proc_is_one_tree(family):
    process, marker = family
    assert here.find(f"proc/{marker}").pids[0] == process.pid
    assert len(here.find(f"proc/{marker}").pids) == 3


def test_locard_does_not_find_its_own_command_line(locard, start):
    """The name stands in the command line of locard and of the shell that runs it; another's is found by it."""
    marker = f"no-such-service-{os.getpid()}"
    asked = f"investigate proc/{marker} --dry-run"
    shell = ["sh", "-c", f"{sys.executable} -m locard {asked}; exit $?"]
    for done in (
        locard(*asked.split()),
        subprocess.run(shell, capture_output=True, text=True, check=False),
    ):
        assert done.returncode == 3
        assert "no process fits" in done.stderr
    start("-c", "import time; print(1, flush=True); time.sleep(300)", marker)
    assert locard("investigate", f"proc/{marker}", "--dry-run").returncode == 0


def test_ambiguity_is_refused_with_the_list(start):
    marker = f"twin-{os.getpid()}"
    code = "import time; print(1, flush=True); time.sleep(300)"
    one, two = start("-c", code, marker), start("-c", code, marker)
    with pytest.raises(AmbiguousTargetError) as caught:
        here.find(f"proc/{marker}")
    assert f"pid/{one.pid}" in caught.value.why
    assert f"pid/{two.pid}" in caught.value.why


def test_the_list_of_an_ambiguity_shows_no_secrets(start):
    marker = f"pair-{os.getpid()}"
    code = "import signal; print(1, flush=True); signal.pause()"
    for _ in range(2):
        start("-c", code, "--pw", "hunter2pw", marker)
    with pytest.raises(AmbiguousTargetError) as caught:
        here.find(f"proc/{marker}")
    assert "hunter2pw" not in caught.value.why
    assert "--pw <" in caught.value.why


def process(pid, ppid, *cmdline, comm="x"):
    return Process(pid, ppid, pid * 100, 1.7e9, 0, comm, cmdline)


def table(*processes, **more):
    return ProcessTable("here", {p.pid: p for p in processes}, **more)


def test_unit_by_control_group():
    rows = [process(10, 1, "/usr/bin/a"), process(11, 10, "/usr/bin/a"), process(12, 1, "/b")]
    names = {10: "a.service", 11: "a.service", 12: "b.service"}
    groups = {pid: ("1:name=systemd:/x", f"0::/system.slice/{n}") for pid, n in names.items()}
    made_up = table(*rows, cgroups=groups)
    assert resolve.resolve("unit/a", made_up).pids == (10, 11)
    assert resolve.resolve("unit/b.service", made_up).pids == (12,)
    with pytest.raises(TargetNotFoundError, match=r"c\.service"):
        resolve.resolve("unit/c.service", made_up)


def test_a_host_has_no_processes():
    """Whether it can be reached is no question of its name."""
    for ref in ("host/local", "host/deploy@web-17"):
        target = resolve.resolve(ref, table(process(10, 0, "/opt/shopd")))
        assert (target.pids, target.host, target.name) == ((), "here", ref[5:])
    assert resolve.resolve("proc/shopd", table(process(10, 0, "/opt/shopd"))).pids == (10,)


@pytest.mark.parametrize(
    "ref", ["pod/x", "planet/x", "pid/abc", "container/1", "pid/", "proc/", "unit/", "host/"]
)
def test_what_cannot_be_a_target(ref):
    with pytest.raises(UsageError) as caught:
        resolve.resolve(ref, table(process(10, 0, "/opt/x")))
    assert caught.value.next_step


def test_a_process_that_has_ended():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    with pytest.raises(TargetNotFoundError):
        here.find(f"pid/{process.pid}")


def test_a_zombie_is_no_target():
    process = subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE)
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(TargetNotFoundError, match="zombie"):
        here.find(f"pid/{process.pid}")
    process.wait()
    process.stdout.close()


def test_a_reused_pid_is_not_the_same_process(family):
    from dataclasses import replace

    process, _ = family
    known = here.find(f"pid/{process.pid}").processes[0]
    other = replace(known, start_ticks=known.start_ticks - 1)
    table = here.processes()
    assert resolve.alive(known, table)
    assert not resolve.alive(other, table)


def test_a_program_is_preferred_to_what_others_were_given():
    rows = [
        process(10, 0, "/usr/bin/vi", "/etc/shopd.conf", comm="vi"),
        process(11, 0, "python3", "/srv/venv/bin/shopd", "-w", "4", comm="python3"),
        process(12, 11, "python3", "/srv/venv/bin/shopd", "-w", "4", comm="python3"),
    ]
    assert resolve.resolve("proc/shopd", table(*rows)).pids == (11, 12)
    assert resolve.resolve("proc/shopd.conf", table(*rows)).pids == (10,), "only arguments have it"
    rows.append(process(13, 0, "/opt/shopd", comm="shopd"))
    with pytest.raises(AmbiguousTargetError):
        resolve.resolve("proc/shopd", table(*rows))


def test_the_reader_and_what_it_runs_under_are_no_target():
    rows = [
        process(10, 0, "sshd"),
        process(11, 10, "python3", "-m", "locard", "proc/shopd"),
        process(12, 0, "/opt/shopd"),
        process(13, 12, "sh"),
        process(14, 13, "python3", "-"),
    ]
    assert resolve.resolve("proc/shopd", table(*rows, own=frozenset({10, 11}))).pids[0] == 12
    inside = table(*rows, own=frozenset({12, 13, 14}))
    assert resolve.resolve("pid/12", inside).pids == (12,), "a root that is named stays"


def test_a_family_in_a_circle_has_an_end():
    rows = [process(10, 11, "a"), process(11, 10, "a"), process(12, 12, "b")]
    assert resolve.resolve("pid/10", table(*rows)).pids == (10, 11)
    assert resolve.resolve("pid/12", table(*rows)).pids == (12,)


@pytest.mark.parametrize(
    ("cmdline", "names"),
    [
        (("python3", "-m", "uvicorn", "app:app"), {"python3", "uvicorn", "x"}),
        (("python3", "-u", "/srv/pay.py", "--port", "1"), {"python3", "pay.py", "pay", "x"}),
        (("java", "-Xmx1g", "-jar", "/opt/shop.jar"), {"java", "shop.jar", "shop", "x"}),
        (("nginx: master process nginx",), {"nginx", "x"}),
        (("python3", "-c", "print(1)"), {"python3", "x"}),
    ],
)
def test_what_a_process_runs(cmdline, names):
    assert resolve.programs(Process(7, 1, 0, 0.0, 0, "x", cmdline)) == names


def test_a_family_that_is_torn_for_a_moment_is_one_target(monkeypatch):
    one, two = process(10, 0, "/opt/shopd"), process(11, 10, "/opt/shopd")
    looks = [table(one, process(11, 0, "/opt/shopd")), table(one, two)]
    monkeypatch.setattr(here, "processes", lambda: looks.pop(0))
    assert here.find("proc/shopd").pids == (10, 11)
    assert not looks


def test_a_table_of_one_tree_tells_nothing_of_others():
    """The root has ended, and another one may run: only a whole table can say."""
    old = resolve.resolve("proc/shopd", table(process(10, 0, "/opt/shopd")))
    new = process(11, 0, "/opt/shopd")
    assert resolve.again(old, table(new, whole=False)) == old
    assert resolve.again(old, table(new)).pids == (11,)


def test_a_target_is_followed(start):
    code = (
        "import os, sys, time\nprint(1, flush=True)\nsys.stdin.readline()\n"
        "pid = os.fork()\nif pid: print(pid, flush=True)\ntime.sleep(300)\n"
    )
    process = start("-c", code, stdin=subprocess.PIPE, start_new_session=True)
    before = here.find(f"pid/{process.pid}")
    assert len(before.pids) == 1
    process.stdin.write("go\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    try:
        assert here.follow(before).pids == (process.pid, child)
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdin.close()


def test_a_target_by_name_is_found_again_after_its_restart(start):
    marker = f"restarts-{os.getpid()}"
    code = "import time; print(1, flush=True); time.sleep(300)"
    one = start("-c", code, marker)
    by_name = here.find(f"proc/{marker}")
    by_pid = here.find(f"pid/{one.pid}")
    one.kill()
    one.wait()
    assert here.follow(by_name).pids == (one.pid,), "nothing of that name runs"
    two = start("-c", code, marker)
    assert here.follow(by_name).pids == (two.pid,)
    assert here.follow(by_pid).pids == (one.pid,)
