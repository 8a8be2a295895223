"""The server beside the target, over a real session on this machine: undoing, costs, keys, silence."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from locard.guard.command import Impact, Residue, Template
from locard.guard.gate import Gate
from locard.model.place import HERE
from locard.transport import prepared
from locard.transport import session as sessions
from locard.transport.reach import open_session
from support import children_of, is_alive, wait_until


@pytest.fixture
def session():
    with contextlib.closing(open_session(HERE).open()) as opened:
        yield opened


def admit(template, **values):
    gate = Gate({"p": (template,)}, Impact.INJECTS, cap=Impact.INJECTS, why="")
    return gate.admit("p", template.fill(**values))


def marking(folder, *, undo="rmdir"):
    """A command that leaves a folder, and how that is undone."""
    left = Residue(
        "a folder",
        undo=Template((undo, "{path:path}"), Impact.INJECTS, 5.0),
        gone=Template(("test", "!", "-e", "{path:path}"), Impact.READS, 5.0),
    )
    argv = ("sh", "-c", "mkdir $0; echo made; exec sleep 600", "{path:path}")
    return admit(Template(argv, Impact.INJECTS, 600.0, residue=(left,)), path=str(folder))


def started(session, permit):
    run = session.start(permit, 600.0)
    while not run.out:
        sessions.wait([session], 1.0)
    return run


def ended(session, run):
    while not run.ended:
        sessions.wait([session], 1.0)


def test_what_is_left_is_undone_when_it_is_stopped(session, tmp_path):
    run = started(session, marking(tmp_path / "left"))
    assert (tmp_path / "left").exists()
    run.stop("enough")
    ended(session, run)
    assert not (tmp_path / "left").exists()
    assert run.left == ()


def test_what_cannot_be_undone_is_said(session, tmp_path):
    run = started(session, marking(tmp_path / "left", undo="false"))
    run.stop("enough")
    ended(session, run)
    assert "a folder" in run.left[0]
    assert (tmp_path / "left").exists()


def test_it_is_undone_when_nobody_listens_any_more(tmp_path):
    session = open_session(HERE).open()
    started(session, marking(tmp_path / "left"))
    session.close()
    wait_until(lambda: not (tmp_path / "left").exists())


OPERATOR = """
import sys
from locard.guard.command import Impact, Residue, Template
from locard.guard.gate import Gate
from locard.model.place import HERE
from locard.transport import prepared
from locard.transport import session as sessions
from locard.transport.reach import open_session
left = Residue("a folder", undo=Template(("rmdir", "{path:path}"), Impact.INJECTS, 5.0))
argv = ("sh", "-c", "mkdir $0; echo $$; exec sleep 600", "{path:path}")
t = Template(argv, Impact.INJECTS, 600.0, residue=(left,))
s = open_session(HERE).open()
g = Gate({"p": (t,)}, Impact.INJECTS, cap=Impact.INJECTS, why="")
run = s.start(g.admit("p", t.fill(path=sys.argv[1])), 600.0)
while not run.out: sessions.wait([s], 1.0)
print(run.out.decode(), end="", flush=True)
while True: sessions.wait([s], 1.0)
"""


def test_a_killed_operators_run_ends_and_is_undone(tmp_path):
    argv = [sys.executable, "-c", OPERATOR, str(tmp_path / "left")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as operator:
        run = int(operator.stdout.readline())
        assert is_alive(run)
        operator.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_alive(run))
    wait_until(lambda: not (tmp_path / "left").exists())


def test_too_much_cpu_ends_it_there(session):
    argv = ("sh", "-c", "echo begun; while :; do :; done")
    template = Template(argv, Impact.READS, 60.0, most_cpu=0.001)
    run = session.start(admit(template), 60.0)
    ended(session, run)
    output = run.output()
    assert output.stdout == b"begun\n"
    assert "of a core, allowed are 0 %" in output.problem
    assert not output.timed_out


def test_a_process_that_has_ended_is_not_asked(session):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    template = Template(("echo", "{pid:pid}"), Impact.READS, 5.0)
    run = session.start(admit(template, pid=process.pid), 5.0, keys=[(process.pid, 1)])
    ended(session, run)
    assert f"process {process.pid} has ended" in run.output().problem
    mine = session.start(admit(template, pid=os.getpid()), 5.0, keys=[(os.getpid(), own_start())])
    ended(session, mine)
    assert mine.output().text.strip() == str(os.getpid())


def own_start():
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123
        return int(file.read().rpartition(b")")[2].split()[19])


def test_many_runs_share_a_session(session):
    template = Template(("echo", "{n:int}"), Impact.READS, 20.0)
    runs = [session.start(admit(template, n=n), 20.0) for n in range(50)]
    for run in runs:
        ended(session, run)
    assert [r.output().text.strip() for r in runs] == [str(n) for n in range(50)]


def test_a_clock_is_measured(session):
    wait_until(lambda: sessions.wait([session], 0.1) or session.ground.clock_ahead_s is not None)
    assert abs(session.ground.clock_ahead_s) <= session.ground.clock_within_s + 0.5


@pytest.fixture
def impatient(monkeypatch):
    """A session whose other side waits for a second only, unless it is asked for more."""
    text, patience = sessions.server_payload(), b"SILENCE_S = 60.0"
    assert text.count(patience) == 1
    monkeypatch.setattr(
        sessions, "server_payload", lambda: text.replace(patience, b"SILENCE_S = 1.0")
    )
    with contextlib.closing(open_session(HERE).open()) as opened:
        yield opened


def test_who_hears_nothing_for_too_long_ends_and_undoes(impatient, tmp_path):
    run = started(impatient, marking(tmp_path / "left"))
    (child,) = children_of(impatient._child.pid)
    # From here on nobody beats, and the streams stay open.
    wait_until(lambda: not is_alive(child))
    wait_until(lambda: not (tmp_path / "left").exists())
    wait_until(lambda: impatient.gone)
    while impatient.state != "closed":
        sessions.wait([impatient], 1.0)
    assert run.output().problem == "nobody listens"


def test_patience_that_was_asked_for_is_kept(impatient):
    impatient.ask_patience(60.0)
    # Its cost is looked at each second, and the silence with it.
    argv = ("sh", "-c", "echo begun; exec sleep 600")
    run = started(impatient, admit(Template(argv, Impact.READS, 600.0, most_cpu=1.0)))
    time.sleep(3.5)
    echo = impatient.start(admit(Template(("echo", "here"), Impact.READS, 5.0)), 5.0)
    ended(impatient, echo)
    assert echo.output().text == "here\n"
    assert not run.ended


def test_patience_can_be_as_short_as_asked_for(session):
    session.ask_patience(0.5)
    wait_until(lambda: session.gone)


SIZE = 48 << 20


def status(pid, name):
    """A field of /proc/PID/status in KiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0])


def cpu_ticks(pid):
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def test_nothing_is_sent_before_somebody_waits(session):
    """What is recorded of a command is written between its start and that moment."""
    run = session.start(admit(Template(("sleep", "600"), Impact.READS, 30.0)), 30.0)
    server = session._child.pid
    with pytest.raises(AssertionError):
        wait_until(lambda: children_of(server), 0.5)
    session.pump()
    wait_until(lambda: children_of(server))
    run.stop("seen")
    ended(session, run)


def test_what_nobody_takes_stays_in_the_pipe_of_its_child(session):
    template = Template(("head", "-c", f"{SIZE}", "/dev/zero"), Impact.READS, 60.0, max_bytes=SIZE)
    run = session.start(admit(template), 60.0)
    server = session._child.pid
    assert not session.pump()  # sends it, and takes nothing from here on
    wait_until(lambda: children_of(server))
    (child,) = children_of(server)

    def rests():
        before = cpu_ticks(server)
        time.sleep(0.5)
        return cpu_ticks(server) == before

    wait_until(rests)
    assert is_alive(child)  # it waits to be read on
    assert status(server, "VmRSS") < 32 << 10
    ended(session, run)
    assert (len(run.out), run.output().exit_code) == (SIZE, 0)


_COUNTS = "trap 'echo told; exit' INT; echo made; while :; do sleep 0.05; done"


@pytest.mark.parametrize(("at_once", "told"), [(False, b"made\ntold\n"), (True, b"made\n")])
def test_what_counts_tells_when_it_is_stopped_unless_at_once(session, at_once, told):
    counts = Template(("sh", "-c", _COUNTS), Impact.READS, 600.0, ends="interrupted")
    run = started(session, admit(counts))
    run.stop("enough", at_once=at_once)
    ended(session, run)
    output = run.output()
    assert (output.stdout, output.problem, output.exit_code) == (told, "enough", None)


def test_a_reader_that_had_not_begun_at_its_bound_says_so(session, monkeypatch):
    sleeps = b"import time\nprint('made', flush=True)\ntime.sleep(600)\n"
    monkeypatch.setattr(prepared, "_source", lambda _: sleeps)
    reader = Template(
        ("python3", "-I", "-S", "-"), Impact.READS, 600.0, program="sleeps", ends="interrupted"
    )
    run = session.start(admit(reader), 0.5)
    ended(session, run)
    output = run.output()
    assert output.stdout == b"made\n"
    assert output.timed_out
    assert "time bound of 0.5 s" in output.problem
