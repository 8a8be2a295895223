"""What may go through sudo: judged from listings, and against a real sudo on a machine of its own."""

import shlex

import pytest

from far_places import call
from locard.guard import sudo
from locard.guard.command import Impact, Template
from locard.model.errors import UsageError

CAT = ("/usr/bin/cat", "/proc/1/io")
JOURNAL = ("/usr/bin/journalctl", "-u", "payment.service", "--no-pager")
USERS = "asks wantstty lecture exact lookalike nobody2 emptied several denied wwwonly".split()  # noqa: SIM905
SUDOERS = """
Defaults:wantstty requiretty
Defaults:lecture lecture=always
Defaults passwd_timeout=0
asks ALL=(ALL) ALL
wantstty ALL=(ALL) NOPASSWD: ALL
lecture ALL=(ALL) NOPASSWD: ALL
exact ALL=(root) NOPASSWD: /usr/bin/cat /proc/1/io, /usr/bin/journalctl -u payment.service --no-pager
lookalike ALL=(root) NOPASSWD: /usr/bin/cat /proc/1/*
emptied ALL=(root) NOPASSWD: /usr/bin/id ""
several ALL=(root) NOPASSWD: /usr/bin/id, PASSWD: /usr/bin/cat, NOPASSWD: /usr/bin/uname
denied ALL=(ALL:ALL) NOPASSWD: ALL, !/usr/bin/cat
wwwonly ALL=(www-data) NOPASSWD: /usr/bin/id
"""
SETUP = (
    "mkdir -p /etc/sudoers.d; cat >/etc/sudoers.d/lab <<'X'\n"
    + SUDOERS
    + "X\nchmod 440 /etc/sudoers.d/lab; hostname localhost\n"
    + "printf '#!/bin/sh\\necho x >>/tmp/asked\\necho wrong\\n' >/srv/askpass; chmod 755 /srv/askpass\n"
    + "echo asks:correct-horse | chpasswd\n"
    + "sed -i '1i export DISPLAY=:9 SUDO_ASKPASS=/srv/askpass' /home/asks/.bashrc\n"
)


@pytest.fixture(scope="module")
def machine(network):
    if not network.has("sudo"):
        pytest.skip("sudo is not installed")
    network.host("sudoer", users=[(user, "/bin/bash") for user in USERS], setup=SETUP)

    def run(user, *argv):
        """As that user, through ssh, without a terminal."""
        return call(network.ssh, f"{user}@sudoer", *argv, check=False, text=True)

    run.listing = lambda user: listed(run(user, "LC_ALL=C", *sudo.LIST.argv))
    run.inside = lambda *argv: network.inside("sudoer", *argv, check=False)
    return run


def listed(done):
    return sudo.read_listing(done.stdout, done.stderr, done.returncode)


# What sudo itself does is the truth; `wrapped` must say the same before anything is tried.
TRIES = (
    CAT, JOURNAL, ("/usr/bin/id",), ("/usr/bin/id", "-u"), ("/usr/bin/uname",),
    ("/usr/bin/cat", "/proc/1/status"), ("/usr/bin/cat", "/proc/1/../../etc/hostname"),
    ("/usr/bin/cat", "/etc/hostname"),
)  # fmt: skip


@pytest.mark.parametrize("user", USERS)
def test_what_is_wrapped_is_what_sudo_there_lets_run(machine, user):
    listing = machine.listing(user)
    for argv in TRIES:
        allowed = machine(user, "sudo", "-n", "-l", *argv)  # asks for one command; runs nothing
        wrapped = listing.wrapped(argv)
        if wrapped is None:
            assert listing.why_not(argv)
            runs = machine(user, "sudo", "-n", *argv)
            assert "sudo:" in runs.stderr or "Sorry" in runs.stderr, (argv, runs)
        else:
            assert wrapped == ("sudo", "-n", "--", *argv)
            assert allowed.returncode == 0
            runs = machine(user, *wrapped)
            assert "sudo:" not in runs.stderr


@pytest.mark.parametrize(
    ("user", "problem"),
    [
        ("asks", "wants a password"),
        ("wantstty", "wants a terminal"),
        ("nobody2", "password|no rule in sudoers"),
        ("lecture", ""),
        ("exact", ""),
    ],
)
def test_the_reason_where_sudo_lists_nothing(machine, user, problem):
    listing = machine.listing(user)
    assert any(words in listing.problem for words in problem.split("|"))
    assert bool(listing.rules) == (not problem)


def test_a_listing_runs_nothing_and_asks_nobody(machine):
    machine.listing("asks")
    assert machine.inside("test", "-e", "/tmp/asked").returncode == 1
    machine("asks", "sudo", "id")  # the positive control: without -n it does ask
    assert machine.inside("test", "-e", "/tmp/asked").returncode == 0


def test_a_wildcard_there_is_warned_of(machine):
    (warning,) = machine.listing("lookalike").warnings
    assert "/etc/shadow" in warning
    assert machine("lookalike", "sudo", "-n", "/usr/bin/cat", "/proc/1/../../etc/shadow").stdout
    assert machine.listing("exact").warnings == ()


READS = Template(("cat", "/proc/1/io"), Impact.READS, 1.0)
AWKWARD = Template(
    ("grep", "-s", "-H", "", "a,b:c=d", "^x\\|[0-9]*", "two words", "it's", "!#", "^"),
    Impact.READS,
    1.0,
)
OF_A_TARGET = Template(("cat", "/proc/{pid:pid}/io"), Impact.READS, 1.0)
PATHS = {"cat": "/usr/bin/cat", "grep": "/usr/bin/grep", "id": "/usr/bin/id"}


def test_the_snippet_is_accepted_by_sudo_and_grants_exactly_its_lines(machine):
    text = sudo.snippet("nobody2", [READS, AWKWARD], PATHS)
    assert "*" not in text.replace("\\*", "").replace("a star", "")
    machine.inside(
        "sh", "-c", f"cat >/etc/sudoers.d/new <<'X'\n{text}X\nchmod 440 /etc/sudoers.d/new"
    )
    assert machine.inside("visudo", "-c", "-f", "/etc/sudoers.d/new").returncode == 0
    try:
        listing = machine.listing("nobody2")
        granted = (CAT, ("/usr/bin/grep", *AWKWARD.argv[1:]))
        for argv in granted:
            assert listing.wrapped(argv), listing
        quoted = shlex.join(granted[1])
        assert machine("nobody2", f"sudo -n -l -- {quoted}").returncode == 0
        for argv in (("/usr/bin/cat", "/proc/1/../../etc/shadow"), ("/usr/bin/id",)):
            assert listing.wrapped(argv) is None
            assert machine("nobody2", "sudo", "-n", "-l", *argv).returncode == 1
    finally:
        machine.inside("rm", "/etc/sudoers.d/new")


def test_the_snippet_names_what_it_does_not_grant():
    samples = Template(("py-spy", "dump"), Impact.SAMPLES, 1.0)
    program = Template(("python3", "-"), Impact.READS, 1.0, program="kernel/_x.py")
    text = sudo.snippet("op", [READS, OF_A_TARGET, samples, program], PATHS)
    assert "op ALL=(root) NOPASSWD: /usr/bin/cat /proc/1/io\n" in text
    assert "#   cat /proc/{pid:pid}/io" in text
    assert "py-spy" not in text
    assert "python3" not in text
    bare = Template(("id",), Impact.READS, 1.0)
    assert '/usr/bin/id ""\n' in sudo.snippet("op", [bare], PATHS)
    quoted = Template(("grep", 'a"b', "x", ""), Impact.READS, 1.0)
    assert "cannot be written" in sudo.snippet("op", [quoted], PATHS)
    assert "was not found there" in sudo.snippet("op", [bare], {})
    with pytest.raises(UsageError):
        sudo.snippet("x ALL=(ALL) NOPASSWD: ALL\n", [READS], PATHS)


LINES = """Matching Defaults entries for op on web:
    env_reset, secure_path=/usr/sbin\\:/usr/bin

User op may run the following commands on web:
    (root, daemon) NOPASSWD: SETENV: /usr/bin/cat /proc/1/io, /bin/a\\, b,
        /usr/bin/long --of-a-line
    (ALL : ALL) PASSWD: sha224:abcd= /opt/tool
    (root) NOPASSWD: /opt/bin/
    (ALL, !root) NOPASSWD: /usr/bin/su
"""


def test_how_older_and_newer_versions_write_a_listing():
    listing = sudo.read_listing(LINES, "", 0)
    assert listing.wrapped(CAT)
    assert listing.wrapped(("/usr/bin/long", "--of-a-line"))
    assert listing.why_not(("/opt/tool",)) == "sudo wants a password for this command: not asked"
    assert listing.wrapped(("/opt/bin/x", "1"))
    for argv in (("/usr/bin/su",), ("/opt/bin/deep/x",), ("cat", "/proc/1/io"), ()):
        assert listing.wrapped(argv) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('sudo: The "no new privileges" flag is set, which prevents sudo from running as root.', "cannot become root"),
        ("bash: line 1: sudo: command not found", "not installed"),
        ("sudo: a password is required", "wants a password"),
        ("Sorry, user op may not run sudo on web.", "no rule"),
        ("surprise", "exit 1"),
    ],
)  # fmt: skip
def test_other_reasons(said, words):
    assert words in sudo.read_listing("", said, 1).problem
    assert sudo.read_listing("", "", None).problem
