"""`--sudo` at a place with a real sshd and a real sudo: what runs as root, and what the user is told."""

import json
import sqlite3
import zlib

import pytest

USERS = ("asks", "free", "exact", "none", "wild", "secret")
SETUP = r"""hostname localhost
mkdir -p /etc/sudoers.d; cat >/etc/sudoers.d/lab <<'X'
asks ALL=(ALL) ALL
free ALL=(ALL) NOPASSWD: ALL
exact ALL=(root) NOPASSWD: /usr/bin/dmesg "", /usr/bin/id
secret ALL=(root) NOPASSWD: /usr/bin/id --password=Hunter2Secret99
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
        return locard("host", f"host/{user}@sudohost", "--sudo", *words)

    go.run = locard
    monkeypatch.setenv("LOCARD_SSH", str(machine.ssh))
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


def test_what_sudo_lists_there_is_not_recorded(look):
    done = look("secret", "-o", "json")
    document = json.loads(done.stdout)
    listed = [e for e in entries(document["ledger"]) if b"NOPASSWD" in e]
    assert "Hunter2Secret99" not in done.stdout
    assert listed, "the answer of sudo is evidence, without the secret"
    assert not [e for e in entries(document["ledger"]) if b"Hunter2Secret99" in e]


def entries(path):
    """Every body and output of a ledger, as bytes."""
    with sqlite3.connect(path) as base:
        bodies = [body.encode() for (body,) in base.execute("select body from entries")]
        outputs = [zlib.decompress(data) for (data,) in base.execute("select data from outputs")]
    return [*bodies, *outputs]


def test_a_rule_for_everything_covers_what_only_root_reads(look):
    argvs = list(through_sudo(look("free", "-o", "json")))
    assert ("/usr/bin/dmesg",) in argvs
    assert not any("/proc/meminfo" in argv for argv in argvs)  # everybody may read that


def test_who_may_do_everything_sees_what_root_sees(look, machine):
    code = 'import socket, time; s = socket.create_server(("", 7000)); time.sleep(600)'
    machine.inside(
        "sudohost", "sh", "-c", f"setsid /usr/bin/python3 -c '{code}' >/dev/null 2>&1 </dev/null &"
    )
    try:
        pid = machine.inside("sudohost", "pgrep", "-of", "create_server", text=True).stdout.strip()
        seen, blind = (
            json.loads(investigate(machine, look, user, f"pid/{pid}").stdout)
            for user in ("free", "none")
        )
    finally:
        machine.inside("sudohost", "pkill", "-f", "create_server")
    assert statuses(seen)["thread-states"] == "ok"
    assert statuses(blind)["thread-states"] != "ok"
    python = ["sudo", "-n", "--", "/usr/bin/python3"]
    every = [ran for evidence in seen["evidence"] for ran in evidence["ran"]]
    readers = [(ran["argv"], ran["identity"]) for ran in every if ran["argv"][:4] == python]
    assert readers
    assert all(identity["uid"] == 0 and identity["sudo_user"] == "free" for _, identity in readers)


def investigate(machine, look, user, target):
    return look.run("investigate", target, "--on", f"host/{user}@sudohost", "--sudo", "-o", "json")


def statuses(found):
    return {evidence["probe"]: evidence["status"] for evidence in found["evidence"]}


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
