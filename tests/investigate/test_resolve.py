import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from locard.investigate import resolve
from locard.investigate.discover import endpoints, log_files
from locard.model.errors import AmbiguousTargetError, TargetNotFoundError, UsageError
from support import needs_root

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
    target = resolve.resolve(f"pid/{process.pid}")
    assert target.pids[0] == process.pid
    assert len(target.pids) == 3
    assert all(p.start_ticks > 0 and p.started > 0 for p in target.processes)
    assert resolve.resolve(str(process.pid)).pids == target.pids


def test_proc_is_one_tree(family):
    process, marker = family
    assert resolve.resolve(f"proc/{marker}").pids[0] == process.pid
    assert len(resolve.resolve(f"proc/{marker}").pids) == 3


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
        resolve.resolve(f"proc/{marker}")
    assert f"pid/{one.pid}" in caught.value.why
    assert f"pid/{two.pid}" in caught.value.why


def test_the_list_of_an_ambiguity_shows_no_secrets(start):
    marker = f"pair-{os.getpid()}"
    code = "import signal; print(1, flush=True); signal.pause()"
    for _ in range(2):
        start("-c", code, "--pw", "hunter2pw", marker)
    with pytest.raises(AmbiguousTargetError) as caught:
        resolve.resolve(f"proc/{marker}")
    assert "hunter2pw" not in caught.value.why
    assert "--pw <" in caught.value.why


def test_unit_by_control_group(tmp_path):
    """This machine has no systemd, so a recorded /proc stands in for one."""
    proc = tmp_path / "proc"
    for pid, ppid, cgroup in ((10, 1, "a.service"), (11, 10, "a.service"), (12, 1, "b.service")):
        folder = proc / str(pid)
        folder.mkdir(parents=True)
        rest = " ".join(["0"] * 15 + ["1", "0", str(pid * 100), "0", "0"])
        (folder / "stat").write_text(f"{pid} (a (b) c) S {ppid} {rest}")
        (folder / "cmdline").write_bytes(b"/usr/bin/a\0--x\0")
        (folder / "cgroup").write_text(f"0::/system.slice/{cgroup}\n")
    (proc / "stat").write_text("cpu 1\nbtime 1700000000\n")
    target = resolve.resolve("unit/a", proc)
    assert target.pids == (10, 11)
    assert target.processes[0].comm == "a (b) c"
    with pytest.raises(TargetNotFoundError, match=r"c\.service"):
        resolve.resolve("unit/c.service", proc)


def test_host_local_has_no_processes():
    assert resolve.resolve("host/local").pids == ()


def test_another_machine_is_not_reachable():
    with pytest.raises(TargetNotFoundError) as raised:
        resolve.resolve("host/elsewhere")
    assert raised.value.exit_code == 3


@pytest.mark.parametrize("ref", ["pod/x", "planet/x", "pid/abc", "container/1"])
def test_what_cannot_be_a_target(ref):
    with pytest.raises(UsageError) as caught:
        resolve.resolve(ref)
    assert caught.value.next_step


def test_a_process_that_has_ended():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    with pytest.raises(TargetNotFoundError):
        resolve.resolve(f"pid/{process.pid}")


def test_a_zombie_is_no_target():
    process = subprocess.Popen([sys.executable, "-c", "pass"], stdout=subprocess.PIPE)
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(TargetNotFoundError, match="zombie"):
        resolve.resolve(f"pid/{process.pid}")
    process.wait()
    process.stdout.close()


def test_a_reused_pid_is_not_the_same_process(family):
    from dataclasses import replace

    process, _ = family
    known = resolve.resolve(f"pid/{process.pid}").processes[0]
    assert resolve.alive(known)
    assert not resolve.alive(replace(known, start_ticks=known.start_ticks - 1))


SERVICE = """
import socket, sys, time
s = socket.create_server(("127.0.0.1", 0))
log = open(sys.argv[1], "a")
log.write("x\\n"); log.flush()
print(s.getsockname()[1], flush=True)
time.sleep(300)
"""


def test_logs_and_metrics_are_found_from_the_process(start, tmp_path):
    path = tmp_path / "service.log"
    process = start("-c", SERVICE, path)
    target = resolve.resolve(f"pid/{process.pid}")
    assert log_files(target) == (str(path),)
    # It listens, and nothing says that it speaks HTTP.
    port = process.line.strip()
    assert endpoints(target).urls == ()
    said = f"port {port}: not asked, nothing says that it speaks HTTP"
    assert endpoints(target).not_asked == (said,)
    # Its log tells of requests: then it does.
    path.write_text('10.0.0.1 - - [x] "GET /a HTTP/1.1" 200 5\n')
    assert endpoints(target, (str(path),)).urls == (f"http://127.0.0.1:{port}/metrics",)


def test_a_script_that_imports_an_http_server_speaks_http(start):
    process = start("metrics_page.py")
    found = endpoints(resolve.resolve(f"pid/{process.pid}"))
    assert found.urls == (f"http://127.0.0.1:{process.line.strip()}/metrics",)
    assert found.not_asked == ()


@needs_root
def test_a_log_in_another_mount_namespace_is_not_the_file_of_that_path_here(start, tmp_path):
    here = tmp_path / "x"
    here.mkdir()
    (here / "app.log").write_text("the host's own file\n")
    code = (
        "import os, sys, time, ctypes\n"
        "libc = ctypes.CDLL(None)\n"
        f"path = {str(here)!r}\n"
        "assert libc.unshare(0x20000) == 0\n"
        "assert libc.mount(b'none', b'/', None, 0x44000, None) == 0\n"
        "assert libc.mount(b'tmpfs', path.encode(), b'tmpfs', 0, None) == 0\n"
        "log = open(path + '/app.log', 'a'); log.write('inside\\n'); log.flush()\n"
        "print('ready', flush=True); time.sleep(300)\n"
    )
    process = start("-c", code)
    (found,) = log_files(resolve.resolve(f"pid/{process.pid}"))
    assert Path(found).read_text() == "inside\n"
    assert (here / "app.log").read_text() == "the host's own file\n"


def entry(proc, pid, ppid, *cmdline, comm="x", state="S", threads=1):
    folder = proc / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    rest = " ".join(["0"] * 13 + ["0", "0", str(threads), "0", str(pid * 100), "0", "0"])
    (folder / "stat").write_text(f"{pid} ({comm}) {state} {ppid} {rest}")
    (folder / "cmdline").write_bytes("\0".join(cmdline).encode() + b"\0")
    (proc / "stat").write_text("cpu 1\nbtime 1700000000\n")


def test_a_program_is_preferred_to_what_others_were_given(tmp_path):
    entry(tmp_path, 10, 0, "/usr/bin/vi", "/etc/shopd.conf", comm="vi")
    entry(tmp_path, 11, 0, "python3", "/srv/venv/bin/shopd", "-w", "4", comm="python3")
    entry(tmp_path, 12, 11, "python3", "/srv/venv/bin/shopd", "-w", "4", comm="python3")
    assert resolve.resolve("proc/shopd", tmp_path).pids == (11, 12)
    assert resolve.resolve("proc/shopd.conf", tmp_path).pids == (10,), "only arguments have it"
    entry(tmp_path, 13, 0, "/opt/shopd", comm="shopd")
    with pytest.raises(AmbiguousTargetError):
        resolve.resolve("proc/shopd", tmp_path)


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
    from locard.model.target import Process

    assert resolve.programs(Process(7, 1, 0, 0.0, 0, "x", cmdline)) == names


def test_a_torn_table_is_read_again(tmp_path, monkeypatch):
    """A child whose parent is not in the table: the next look has both."""
    entry(tmp_path, 10, 0, "/opt/shopd")
    entry(tmp_path, 11, 10, "/opt/shopd")
    whole = resolve._snapshot(tmp_path)
    looks = [{11: whole[11]}, whole]
    monkeypatch.setattr(resolve, "_snapshot", lambda _: looks.pop(0))
    assert set(resolve.processes(tmp_path)) == {10, 11}
    assert not looks


def test_a_family_that_is_torn_for_a_moment_is_one_target(tmp_path, monkeypatch):
    entry(tmp_path, 10, 0, "/opt/shopd")
    entry(tmp_path, 11, 10, "/opt/shopd")
    whole = resolve._snapshot(tmp_path)
    from dataclasses import replace

    torn = {**whole, 11: replace(whole[11], ppid=0)}
    looks = [torn, whole]
    monkeypatch.setattr(resolve, "_snapshot", lambda _: looks.pop(0))
    assert resolve.resolve("proc/shopd", tmp_path).pids == (10, 11)


def test_a_main_thread_that_has_ended_leaves_a_process(tmp_path):
    entry(tmp_path, 10, 0, "/opt/shopd", state="Z", threads=4)
    entry(tmp_path, 11, 0, "/opt/other", state="Z", threads=1)
    assert set(resolve.processes(tmp_path)) == {10}


def test_a_target_is_followed(start):
    code = (
        "import os, sys, time\nprint(1, flush=True)\nsys.stdin.readline()\n"
        "pid = os.fork()\nif pid: print(pid, flush=True)\ntime.sleep(300)\n"
    )
    process = start("-c", code, stdin=subprocess.PIPE, start_new_session=True)
    before = resolve.resolve(f"pid/{process.pid}")
    assert len(before.pids) == 1
    process.stdin.write("go\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    try:
        assert resolve.again(before).pids == (process.pid, child)
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdin.close()


def test_a_target_by_name_is_found_again_after_its_restart(start):
    marker = f"restarts-{os.getpid()}"
    code = "import time; print(1, flush=True); time.sleep(300)"
    one = start("-c", code, marker)
    by_name = resolve.resolve(f"proc/{marker}")
    by_pid = resolve.resolve(f"pid/{one.pid}")
    one.kill()
    one.wait()
    assert resolve.again(by_name).pids == (one.pid,), "nothing of that name runs"
    two = start("-c", code, marker)
    assert resolve.again(by_name).pids == (two.pid,)
    assert resolve.again(by_pid).pids == (one.pid,)
