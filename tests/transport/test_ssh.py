"""The way in by ssh, against real sshd's: who gets in, and each reason why not."""

import tempfile
from pathlib import Path

import pytest

from far_handshake import HELLO, NONCE, shake
from far_places import call
from locard.model.errors import ExitCode, LocardError, UsageError
from locard.model.place import Place
from locard.transport import bootstrap, ssh
from locard.transport.reach import open_session

SHELLS = {
    "oncall": "/bin/bash", "fishy": "/usr/bin/fish", "seashell": "/bin/tcsh", "dashing": "/bin/dash",
    "rb": "/bin/rbash", "gone": "/usr/sbin/nologin", "gitty": "/usr/bin/git-shell",
    "loud": "/bin/bash", "slow": "/bin/bash", "asks": "/bin/bash", "mute": "/bin/bash",
    "logged": "/bin/bash", "quits": "/bin/bash", "gate": "/bin/bash", "mirror": "/bin/bash",
    "starter": "/bin/bash", "liar": "/bin/bash", "german": "/bin/bash", "endless": "/bin/bash",
}  # fmt: skip
SETUP = r"""
printf 'Banner /etc/banner\nPermitUserEnvironment yes\n' >>/etc/ssh/sshd_config
printf 'Host key verification failed.\nPermission denied (password).\n' >/etc/banner
cat >/home/loud/.bashrc <<'X'
printf '\033]0;web\007\033[1;31mWelcome\r\n'
echo '{"schema":"locard/1","findings":[]}'
printf 'caf\xe9 \x00 end'
X
echo 'sleep 2' >/home/slow/.bashrc
echo 'read -r -p "Accept? [y/N] " a; read -r b' >/home/asks/.bashrc
echo 'exec >/dev/null' >/home/mute/.bashrc
echo 'exec >>/tmp/log' >/home/logged/.bashrc
echo 'echo "maintenance until noon"; exit 0' >/home/quits/.bashrc
echo 'while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done' >/home/endless/.bashrc
mkdir /home/liar/bin; printf '#!/bin/sh\necho "Python 3.11.2"\n' >/home/liar/bin/python3
chmod 755 /home/liar/bin/python3; echo 'PATH=/home/liar/bin:/usr/bin:/bin' >/home/liar/.ssh/environment
printf 'LC_ALL=de_DE.UTF-8\nTERM=dumb\n' >/home/german/.ssh/environment
mkdir /srv/lab; mount -t tmpfs tmpfs /srv/lab; chmod 777 /srv/lab
printf '#!/bin/sh\necho x >>/srv/lab/asked\necho "only rsync is allowed" >&2\nexit 1\n' >/srv/lab/gate
printf '#!/bin/sh\necho x >>/srv/lab/started\nsleep 1\necho "backup started"\n' >/srv/lab/start
chmod 755 /srv/lab/*
force() { sed -i "s#^#restrict,command=\"$2\" #" /home/$1/.ssh/authorized_keys; }
force gate /srv/lab/gate; force mirror /bin/cat; force starter /srv/lab/start
"""


@pytest.fixture(scope="module")
def host(network):
    have = [(user, shell) for user, shell in SHELLS.items() if Path(shell).exists()]
    network.host("mixed", users=have, setup=SETUP)
    return dict(have)


def enter(network, monkeypatch, target, **options):
    monkeypatch.setenv("LOCARD_SSH", str(network.ssh))
    argv = (*ssh.reach(target, connect_s=3), bootstrap.words(NONCE))
    return shake(argv, env=ssh.environment(), **options)


def why(done, target):
    error = ssh.explain(f"host/{target}", *done.failed, problem=done.handshake.problem)
    assert error.exit_code == ExitCode.UNREACHABLE
    assert error.next_step
    assert not set("\n\r\x1b\0") & set(str(error))
    return f"{error.what}: {error.why}"


@pytest.mark.parametrize(
    "user",
    ["oncall", "fishy", "seashell", "dashing", "loud", "slow", "asks", "liar", "german"],
)
def test_every_login_that_lets_programs_run(network, host, monkeypatch, user):
    if user not in host:
        pytest.skip(f"{SHELLS[user]} is not installed")
    done = enter(network, monkeypatch, f"{user}@mixed")
    assert (done.state, done.out) == ("open", HELLO)
    assert (done.handshake.noise_bytes > 0) == (user == "loud")


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("rb", "restricted (rbash)"),
        ("gone", "runs no commands (nologin); it said: This account is currently not available."),
        ("gitty", "git's commands only (git-shell); it said: fatal: unrecognized command"),
        ("mute", "sends standard output away"),
        ("logged", "sends standard output away"),
        ("quits", "what ran was not what was asked"),
        ("gate", "runs a fixed command there (exit 1); it said: only rsync is allowed"),
        ("starter", "runs a fixed command there (exit 0); it said: backup started"),
        ("mirror", "what is sent comes back, and nothing else within 4 s"),
        ("endless", "prints without end"),
    ],
)
def test_each_login_that_does_not_has_its_reason(network, host, monkeypatch, user, words):
    if user not in host:
        pytest.skip(f"{SHELLS[user]} is not installed")
    done = enter(network, monkeypatch, f"{user}@mixed", bound_s=4)
    assert words in why(done, f"{user}@mixed")
    assert "import hashlib" not in why(done, f"{user}@mixed")
    if user in ("gate", "starter"):  # each try acts
        log = {"gate": "asked", "starter": "started"}[user]
        assert network.inside("mixed", "cat", f"/srv/lab/{log}").stdout == b"x\n"


SILENT = """
import socket
server, kept = socket.create_server(("", 22)), []
while True:
    kept.append(server.accept())
"""
HANGS_UP = """
import socket
server = socket.create_server(("", 22))
while True:
    client, _ = server.accept()
    client.sendall(b"SSH-2.0-OpenSSH_8.4\\r\\n")
    client.recv(64)
    client.close()
"""
PASSWORD = (
    "sed -i 's/^PasswordAuthentication no/PasswordAuthentication yes/' /etc/ssh/sshd_config;"
    " rm /home/oncall/.ssh/authorized_keys\n"
)
JUMP = "printf 'AllowTcpForwarding yes\\nPermitOpen 10.78.0.250:22\\n' >>/etc/ssh/sshd_config\n"
PLACES = {
    "other-key": ({}, "HOST KEY CHANGED: the key on record of other-key is another one"),
    "wants-password": ({"setup": PASSWORD}, "it wants a password (or a code), and none"),
    "no-key": ({"setup": "rm /home/oncall/.ssh/authorized_keys\n"}, "no key of yours is accepted"),
    "silent": (SILENT, "accepted the connection, and said nothing"),
    "absent": (None, "no answer until the time-out"),
    "refuses": ({"sshd": False}, "reached: connection refused: nothing listens"),
    "hangs-up": (HANGS_UP, "closed the connection during the key exchange"),
    "unknown-key": ({"known": False}, "reached: the host key of unknown-key is not"),
    "no-session": (
        {"setup": "echo MaxSessions 0 >>/etc/ssh/sshd_config\n"},
        "logged in, but no session may be opened there (MaxSessions)",
    ),
    "behind": ({"jump": "bastion"}, "the jump host refuses to open the way to it"),
    "behind-dead": (
        {"jump": "refuses"},
        "on the way to it (jump host or proxy command): connection refused",
    ),
    "behind-unknown": (
        {"jump": "unknown-key"},
        "proxy command): the host key of unknown-key is not in known_hosts",
    ),
    "no-such-name.invalid": (None, "its name does not resolve"),
}


@pytest.fixture(scope="module")
def bad(network):
    network.host("bastion", setup=JUMP, users=[("oncall", "/usr/sbin/nologin")])
    network.silence("absent")
    for name, (options, _) in PLACES.items():
        if isinstance(options, str):
            setup = f"cat >/srv/serve.py <<'X'\n{options}\nX\n"
            network.host(name, setup=setup, sshd=False, serve="/usr/bin/python3 /srv/serve.py")
        elif options is not None:
            network.host(name, **options)
    network.change_key("other-key", like="bastion")
    return PLACES


@pytest.mark.parametrize("name", list(PLACES))
def test_each_host_that_is_not_reached_has_its_reason(network, bad, monkeypatch, name):
    known = network.known.read_bytes()
    done = enter(network, monkeypatch, name)
    assert done.state == "failed"
    assert bad[name][1] in why(done, name)
    assert network.known.read_bytes() == known
    asks = [other for other, (_, words) in PLACES.items() if words in why(done, name)]
    assert asks == [name]  # one reason each


def test_the_way_through_a_jump_host_whose_users_have_no_shell(network, monkeypatch):
    network.host("store-bastion", users=[("oncall", "/usr/sbin/nologin")])
    network.host("store-1", jump="store-bastion")
    assert enter(network, monkeypatch, "store-1").out == HELLO


ASKING = ("SSH_ASKPASS", "SUDO_ASKPASS", "DISPLAY", "WAYLAND_DISPLAY")


def test_the_client_is_given_nothing_by_which_to_ask(monkeypatch, tmp_path):
    client = tmp_path / "client"
    client.write_text(f"#!/bin/sh\nenv >>{tmp_path}/given\n")
    client.chmod(0o755)
    monkeypatch.setenv("LOCARD_SSH", str(client))
    monkeypatch.setenv("OF_THE_USER", "kept")  # the control: proxy commands need theirs
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    for name in ASKING:
        monkeypatch.setenv(name, "/bin/false")
    with pytest.raises(LocardError):
        open_session(Place("host/web", "ssh")).open()
    given = [line.partition("=") for line in (tmp_path / "given").read_text().splitlines()]
    assert [value for name, _, value in given if name == "OF_THE_USER"] == ["kept"] * 2
    assert [value for name, _, value in given if name == "SSH_ASKPASS_REQUIRE"] == ["never"] * 2
    assert not {name for name, _, _ in given} & set(ASKING)


def test_askpass_is_never_run_even_where_it_is_set(network, bad, monkeypatch, tmp_path):
    ran = tmp_path / "ran"
    ask = tmp_path / "askpass"
    ask.write_text(f"#!/bin/sh\ntouch {ran}\necho secret\n")
    ask.chmod(0o755)
    for name, value in {
        "SSH_ASKPASS": ask,
        "SSH_ASKPASS_REQUIRE": "force",
        "DISPLAY": ":99",
    }.items():
        monkeypatch.setenv(name, str(value))
    network.hub("ssh", "-F", network.config, "wants-password", "true", check=False)
    assert ran.exists()  # the positive control: it would have run
    ran.unlink()
    enter(network, monkeypatch, "wants-password")
    assert not ran.exists()


@pytest.mark.parametrize(
    "options",
    [
        "RequestTTY force",
        "RemoteCommand sleep 60",
        "StdinNull yes",
        "SessionType none",
        "LogLevel QUIET",
    ],
)
def test_what_the_users_configuration_sets_for_people_does_not_hinder(
    network, host, monkeypatch, options, tmp_path
):
    config = tmp_path / "config"
    config.write_text(f"Host *\n  {options}\nInclude {network.config}\n")
    client = network.client(tmp_path / "ssh", config)
    monkeypatch.setenv("LOCARD_SSH", str(client))
    done = shake((*ssh.reach("mixed"), bootstrap.words(NONCE)), env=ssh.environment())
    assert (done.state, done.out) == ("open", HELLO)


def test_a_way_in_that_does_not_work_is_told_from_the_host(network, host, monkeypatch, tmp_path):
    config = tmp_path / "config"
    config.write_text(f"Host mixed\n  ProxyCommand no-such-program %h\nInclude {network.config}\n")
    monkeypatch.setenv("LOCARD_SSH", str(network.client(tmp_path / "ssh", config)))
    done = shake((*ssh.reach("mixed"), bootstrap.words(NONCE)), env=ssh.environment())
    assert "on the way to it" in why(done, "mixed")
    assert "not found" in why(done, "mixed")


def test_what_a_fixed_command_says_is_not_the_clients_reason(network, monkeypatch):
    setup = (
        "printf '#!/bin/sh\\necho ssh: connect to host x port 22: Connection refused >&2; exit 255\\n'"
        " >/srv/other; chmod 755 /srv/other; echo ForceCommand /srv/other >>/etc/ssh/sshd_config\n"
    )
    network.host("forces", setup=setup)
    words = why(enter(network, monkeypatch, "forces"), "forces")
    assert "runs a fixed command there (exit 255)" in words
    assert "nothing listens" not in words


@pytest.fixture
def short_path():
    """The path of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="lc") as path:
        yield path


def test_a_shared_connection_that_cannot_be_made_is_said(network, host, monkeypatch, tmp_path):
    config = tmp_path / "config"
    long = "x" * 90
    config.write_text(
        f"Host *\n  ControlMaster auto\n  ControlPath {tmp_path}/{long}\nInclude {network.config}\n"
    )
    monkeypatch.setenv("LOCARD_SSH", str(network.client(tmp_path / "ssh", config)))
    done = shake((*ssh.reach("mixed"), bootstrap.words(NONCE)), env=ssh.environment())
    assert "ControlPath" in why(done, "mixed")


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("persist", ["yes", "no"])
def test_a_shared_connection(network, monkeypatch, tmp_path, short_path, persist):
    config = tmp_path / "config"
    config.write_text(
        f"Host *\n  ControlMaster auto\n  ControlPath {short_path}/%C\n  ControlPersist {persist}\n"
        f"Include {network.config}\n"
    )
    client = network.client(tmp_path / "ssh", config)
    monkeypatch.setenv("LOCARD_SSH", str(client))
    try:
        for _ in range(2):
            there = open_session(Place("host/loud@mixed", "ssh")).open()
            assert there.ground.user == "loud"
            there.close()
        with pytest.raises(LocardError, match="runs no commands"):
            open_session(Place("host/gone@mixed", "ssh")).open()
    finally:
        for user in ("loud", "gone"):
            call(client, "-O", "exit", f"{user}@mixed", check=False)


def test_half_way_death_of_the_far_side_ends_the_session(network, monkeypatch):
    network.host("dies")
    monkeypatch.setenv("LOCARD_SSH", str(network.ssh))
    argv = (*ssh.reach("dies"), bootstrap.words(NONCE))
    program = b"import os, signal, time\nos.write(1, b'half')\nos.kill(os.getppid(), 9)\ntime.sleep(.2)\nos._exit(3)\n"
    done = shake(argv, program=program, env=ssh.environment())
    assert (done.out, done.code) == (b"half", 255)


@pytest.mark.parametrize(
    "target",
    ["-oProxyCommand=touch x", "a b", "a@", "@a", "-l@web", "web;id", "$(id)", "", "we\nb", "x@-G"],
)
def test_what_could_be_an_option_or_a_command_is_no_host(target):
    with pytest.raises(UsageError):
        ssh.checked(target)


def test_users_and_hosts_as_ssh_takes_them():
    assert ssh.checked("web-3") == ("web-3", "")
    assert ssh.checked("loud@web-3") == ("web-3", "loud")
    assert ssh.checked("me@corp@[::1]") == ("[::1]", "me@corp")


def test_an_old_client_is_not_given_words_that_it_does_not_know(monkeypatch, tmp_path):
    old = tmp_path / "ssh"
    old.write_text("#!/bin/sh\necho OpenSSH_8.0p1, OpenSSL 1.1.1k >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("LOCARD_SSH", str(old))
    assert "-oStdinNull=no" not in ssh.reach("web")
    assert "-oRemoteCommand=none" in ssh.reach("web")
    monkeypatch.delenv("LOCARD_SSH")
    assert "-oStdinNull=no" in ssh.reach("web")
