"""`--sudo` at a place with a real sshd and a real sudo: what runs as root, and what the user is told."""

import json

import pytest

USERS = ("asks", "free", "exact", "none", "wild")
SETUP = r"""hostname localhost
mkdir -p /etc/sudoers.d; cat >/etc/sudoers.d/lab <<'X'
asks ALL=(ALL) ALL
free ALL=(ALL) NOPASSWD: ALL
exact ALL=(root) NOPASSWD: /usr/bin/dmesg "", /usr/bin/id
wild ALL=(root) NOPASSWD: /usr/bin/cat /proc/1/*
X
chmod 440 /etc/sudoers.d/lab; echo asks:correct-horse | chpasswd
"""


@pytest.fixture(scope="module")
def machine(network):
    if not network.has("sudo"):
        pytest.skip("sudo is not installed")
    network.host("sudohost", users=[(u, "/bin/bash") for u in USERS], setup=SETUP)
    return network


@pytest.fixture
def look(machine, locard, monkeypatch):
    def go(user, *words):
        monkeypatch.setenv("LOCARD_SSH", str(machine.ssh))
        return locard("host", f"host/{user}@sudohost", "--sudo", *words)

    return go


def commands(done):
    """(argv, uid) of all that ran, from the answer."""
    found = json.loads(done.stdout)
    return [
        (tuple(item["argv"]), item["identity"]["uid"], item["identity"]["sudo_user"])
        for evidence in found["evidence"]
        for item in evidence["ran"]
    ]


def through_sudo(done):
    return {
        argv[3:]: (uid, by) for argv, uid, by in commands(done) if argv[:3] == ("sudo", "-n", "--")
    }


def test_exactly_what_the_rules_cover_runs_as_root(look):
    done = look("exact", "-o", "json")
    assert through_sudo(done) == {("/usr/bin/dmesg",): (0, "exact")}
    others = [uid for argv, uid, _ in commands(done) if argv[0] != "sudo"]
    assert others
    assert 0 not in others


def test_a_rule_for_everything_covers_what_is_declared(look):
    argvs = {argv[0] for argv in through_sudo(look("free", "-o", "json"))}
    assert {"/usr/bin/dmesg", "/usr/bin/grep"} <= argvs
    assert not {a for a in argvs if "python" in a}


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("asks", "sudo wants a password there: not asked"),
        ("none", "sudo wants a password there: not asked"),
        ("wild", "has a wildcard"),
    ],
)
def test_what_works_without_is_given_and_why_not_more(look, user, words):
    done = look(user)
    assert words in done.stderr.replace("\n", " ")
    assert done.returncode in (0, 1)
    assert through_sudo(look(user, "-o", "json")) == {}


def test_the_dry_run_shows_what_would_go_through_sudo(look):
    assert (
        "sudo -n -- /usr/bin/dmesg\n      by hand: ssh exact@sudohost 'sudo dmesg'"
        in look("exact", "--dry-run").stdout
    )
    assert "sudo -n" not in look("asks", "--dry-run").stdout.replace("sudo -n -l", "")


def test_each_refused_try_is_one_line_in_their_journal_and_no_more(look, machine):
    log = "/tmp/sudo.log"
    machine.inside(
        "sudohost",
        "sh",
        "-c",
        f"echo 'Defaults logfile={log}' >/etc/sudoers.d/log; chmod 440 /etc/sudoers.d/log",
    )
    look("none")
    text = machine.inside("sudohost", "cat", log, check=False, text=True).stdout
    assert text.count("none :") <= 1
    look("exact")
    text = machine.inside("sudohost", "cat", log, check=False, text=True).stdout
    assert "COMMAND=/usr/bin/dmesg" in text  # the positive control
