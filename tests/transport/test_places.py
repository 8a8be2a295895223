"""One session, many kinds of places: what runs there, what is left there, and who may end whom."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from locard.guard.command import Impact, Template
from locard.guard.gate import Gate
from locard.model.errors import LocardError
from locard.model.place import HERE, Place
from locard.transport import session
from locard.transport.reach import open_session

SETUP = r"""
printf 'PermitUserEnvironment yes\n' >>/etc/ssh/sshd_config
printf 'LC_ALL=de_DE.UTF-8\nLANG=de_DE.UTF-8\nTERM=dumb\n' >/home/german/.ssh/environment
mount -t tmpfs -o size=64k tmpfs /home/full; cp -r /home/german/.ssh /home/full; rm /home/full/.ssh/environment
chown -R full: /home/full; cat /dev/zero >/home/full/fills 2>/dev/null || true
echo 'ulimit -u 0' >/home/forkless/.bashrc
echo 'trap "echo logout: $(date +%s)" EXIT; echo hello; (sleep 1; echo late noise) &' >/home/loud/.bashrc
"""
USERS = ("oncall", "german", "full", "forkless", "loud")


@pytest.fixture(scope="module")
def web(network):
    network.host("web", users=[(u, "/bin/bash") for u in USERS], setup=SETUP)
    network.host("old", setup="mount --bind /dev/null /usr/bin/python3\nPATH=/usr/bin:/bin\n")
    return network


@pytest.fixture
def reach(request, monkeypatch):
    """Open a session to `host/…` or `container/…`; all are closed at the end."""
    opened = []

    def begin(ref, **options):
        kind = ref.partition("/")[0]
        if ref == "host/local":
            place = HERE
        elif kind == "host":
            monkeypatch.setenv("LOCARD_SSH", str(request.getfixturevalue("web").ssh))
            place = Place(ref, "ssh")
        else:
            client = request.getfixturevalue("boxes").client
            monkeypatch.setenv("PATH", f"{client.parent}:{os.environ['PATH']}")
            place = Place(ref, "docker", (("client", "podman"), *options.items()))
        opened.append(open_session(place))
        return opened[-1].open()

    yield begin
    session.close_all(opened)


@pytest.fixture(scope="module")
def boxes(containers):
    containers.with_python("app", "--read-only", "--user", "1000", "--cap-drop", "all")
    containers.run("tiny", "busybox", "--read-only", "--user", "1000")
    containers.run("stone", "distroless")
    return containers


def permit(*argv, **options):
    template = Template(argv, Impact.READS, 20.0, **options)
    gate = Gate({"p": (template,)}, Impact.READS, cap=Impact.INJECTS, why="")
    return gate.admit("p", template.fill())


def text(output):
    return output.stdout.decode(), output.exit_code


PLACES = [
    "host/local", "host/oncall@web", "host/german@web", "host/full@web", "host/loud@web",
    "container/app", "container/tiny", "host/old",
]  # fmt: skip


@pytest.mark.parametrize("ref", PLACES)
def test_words_travel_as_data_to_every_place(reach, ref):
    there = reach(ref)
    evil = "$(id) `id` ; ' \" \\ * ~ ! %s"
    assert text(there.run(permit("printf", "<%s>", evil, ""), 5.0)) == (f"<{evil}><>", 0)
    missing = there.run(permit("no-such-program"), 5.0)
    assert (missing.exit_code, "not installed" in missing.problem) == (None, True)
    failed = there.run(permit("cat", "/nonexistent"), 5.0)
    assert failed.exit_code == 1
    assert b"No such file" in failed.stderr  # whatever language it is set to there


@pytest.mark.parametrize("ref", PLACES)
def test_the_bound_is_held_there(reach, ref):
    there = reach(ref)
    output = there.run(permit("sleep", "60"), 1.0)
    assert output.timed_out
    assert output.exit_code is None
    assert text(there.run(permit("echo", "next"), 5.0)) == ("next\n", 0)


@pytest.mark.parametrize("ref", PLACES)
def test_a_place_says_as_whom(reach, ref):
    there = reach(ref)
    assert text(there.run(permit("id", "-u"), 5.0))[0] == f"{there.identity.uid}\n"
    assert there.ground.bare == (ref in ("container/tiny", "host/old"))
    if there.ground.bare:
        reader = there.run(permit("python3", "-", program="kernel/_threads.py"), 5.0)
        assert "no python3" in reader.problem


def test_what_is_printed_after_the_mark_is_no_answer(reach):
    there = reach("host/loud@web")
    output = there.run(permit("sleep", "1.5"), 5.0)
    assert (output.stdout, output.exit_code) == (b"", 0)
    assert text(there.run(permit("echo", "clean"), 5.0)) == ("clean\n", 0)
    assert there.ground.noise_bytes == len("hello\n")


@pytest.mark.parametrize(("user", "words"), [("forkless", "no process could be started there")])
def test_a_place_without_room_says_so(reach, user, words):
    with pytest.raises(LocardError) as caught:
        reach(f"host/{user}@web")
    assert words in caught.value.why


def test_a_container_without_a_shell_says_how_to_look(reach):
    with pytest.raises(LocardError) as caught:
        reach("container/stone")
    assert "neither a shell nor a python3" in caught.value.why
    assert "container:stone" in caught.value.command


FILES = ("find", "/home", "/tmp", "/srv", "/run", "/var/log", "/opt", "/root", "-newermt", "@{}", "-type", "f")  # fmt: skip


def test_nothing_is_written_there(web, reach):
    began = time.time()
    time.sleep(1.1)
    argv = [word.format(int(began) + 1) for word in FILES]
    there = reach("host/oncall@web")
    there.run(permit("cat", "/proc/loadavg"), 5.0)
    there.run(permit("python3", "-", "1", "0", "1", program="kernel/_threads.py"), 5.0)
    touched = web.inside("web", *argv, text=True).stdout.split()
    assert touched == []
    web.inside("web", "touch", "/srv/control")
    assert web.inside("web", *argv, text=True).stdout.split() == ["/srv/control"]


def processes(web, user):
    """What runs of a user on that host."""
    done = web.inside("web", "ps", "-u", user, "-o", "pid=,args=", check=False, text=True)
    return [line for line in done.stdout.splitlines() if "sshd" not in line]


def gone(web, user, within_s=10.0):
    end = time.monotonic() + within_s
    while (left := processes(web, user)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


OPERATOR = """
import sys
from locard.guard.command import Impact, Template
from locard.guard.gate import Gate
from locard.model.place import Place
from locard.transport import session
from locard.transport.reach import open_session
template = Template(("sleep", "600"), Impact.READS, 600.0)
gate = Gate({"p": (template,)}, Impact.READS, cap=Impact.INJECTS, why="")
print("begins", flush=True)
there = open_session(Place(sys.argv[1], "ssh")).open()
runs = [there.start(gate.admit("p", template.fill()), 600.0) for _ in range(3)]
print("runs", flush=True)
while True:
    session.wait([there], 60.0)
"""
ROUNDS = int(os.environ.get("LOCARD_KILLS", "12"))


def test_death_of_the_operators_side_at_any_moment_leaves_nothing_there(web, monkeypatch):
    monkeypatch.setenv("LOCARD_SSH", str(web.ssh))
    dice = random.Random(12)
    ran = 0
    for _ in range(ROUNDS):
        operator = subprocess.Popen(
            [sys.executable, "-c", OPERATOR, "host/oncall@web"], stdout=subprocess.PIPE, text=True
        )
        operator.stdout.readline()
        time.sleep(dice.uniform(0.0, 0.6))
        ran += bool(processes(web, "oncall"))
        operator.kill()
        operator.wait()
        operator.stdout.close()
        assert gone(web, "oncall") == []
    assert ran  # the positive control: something had run there


def test_death_of_what_serves_there_leaves_nothing_and_keeps_what_came(web, reach):
    there = reach("host/oncall@web")
    running = there.start(permit("sh", "-c", "echo half; exec sleep 600"), 60.0)
    while not running.out:
        session.wait([there], 5.0)
    server = next(line.split()[0] for line in processes(web, "oncall") if "-I -S -B -c" in line and "/bin/sh" not in line)  # fmt: skip
    web.inside("web", "kill", "-9", server)
    while not running.ended:
        session.wait([there], 5.0)
    output = running.output()
    assert (output.stdout, output.exit_code) == (b"half\n", None)
    assert "killed" in output.problem
    assert gone(web, "oncall") == []


def test_a_connection_that_is_cut_half_way_is_said(web, reach):
    there = reach("host/oncall@web")
    running = there.start(permit("sh", "-c", "echo half; exec sleep 600"), 60.0)
    while not running.out:
        session.wait([there], 5.0)
    web.inside("web", "pkill", "-u", "oncall", "sshd")
    while not running.ended:
        session.wait([there], 5.0)
    assert running.output().stdout == b"half\n"
    assert "the connection was cut" in running.output().problem
    assert gone(web, "oncall") == []


def test_a_session_ends_by_signal_too(reach):
    there = reach("host/local")
    running = there.start(permit("sleep", "600"), 600.0)
    os.kill(there._child.pid, signal.SIGTERM)
    while not running.ended:
        session.wait([there], 5.0)
    assert running.output().exit_code is None


def test_a_login_that_takes_longer_is_said_before_the_first_answer(web, locard, monkeypatch):
    web.inside("web", "sh", "-c", "echo 'sleep 4' >/home/german/.bashrc")
    monkeypatch.setenv("LOCARD_SSH", str(web.ssh))
    said = locard("host", "host/german@web").stderr.splitlines()
    web.inside("web", "rm", "/home/german/.bashrc")
    assert "waits" in said[0]
    assert "host/german@web" in said[0]
    assert "waits" not in locard("host", "host/german@web").stderr
