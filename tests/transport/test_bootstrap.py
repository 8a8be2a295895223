"""The bootstrap, run for real in each shell that this machine has, and against what answers falsely."""

import shutil
import subprocess
import sys

import pytest

from far_handshake import HELLO, NONCE, PROGRAM, shake
from locard.transport import bootstrap

NO_PYTHON = ("/usr/bin/python3 /usr/local/bin/python3", "/nonexistent")


def shells():
    for name in ("sh", "dash", "bash", "fish", "tcsh", "zsh", "ksh", "mksh", "busybox"):
        found = shutil.which(name)
        missing = pytest.mark.skipif(found is None, reason=f"{name} is not installed")
        yield pytest.param([found, *(["ash"] if name == "busybox" else [])], id=name, marks=missing)


@pytest.mark.parametrize("shell", [*shells()])
def test_every_login_shell_starts_the_program(shell):
    done = shake([*shell, "-c", bootstrap.words(NONCE)])
    assert (done.state, done.out) == ("open", HELLO)
    assert (done.err, done.code, done.handshake.noise_bytes) == (b"", 0, 0)


def test_no_character_that_a_shell_reads_within_single_quotes():
    words = bootstrap.words(NONCE)
    assert words.count("'") == 2
    assert not set("!\\\n\t") & set(words)
    assert words.isascii()


def test_this_machines_python_needs_no_shell():
    done = shake(bootstrap.python_argv(NONCE, sys.executable))
    assert (done.out, done.handshake.python) == (HELLO, sys.version_info[:2])


@pytest.mark.parametrize(
    ("login", "noise"),
    [
        (
            "printf '\\033[1mWelcome\\r\\n'; printf 'caf\\351 \\000 end'; exec {}",
            b"\x1b[1mWelcome\r\ncaf\xe9 \x00 end",
        ),
        ("read -r answer; {}", b""),
        ("read -r a; read -r b; echo $a$b; {}", b"\n"),
        ("{}; echo logout", b""),
    ],
)
def test_a_login_that_prints_or_reads_lines(login, noise):
    words = bootstrap.words(NONCE).removeprefix("exec ")
    done = shake(["/bin/bash", "-c", login.format(words)])
    assert done.state == "open"
    assert done.out.startswith(HELLO)
    assert (done.handshake.noise, done.handshake.noise_bytes) == (noise, len(noise))


@pytest.mark.parametrize(
    "argv",
    [
        ["/bin/echo", bootstrap.words(NONCE)],  # a mirror of the text
        ["head", "-c", "4"],  # a mirror of what is sent
        ["/bin/sh", "-c", 'echo \'{"schema":"locard/1","findings":[]}\''],
        ["/bin/sh", "-c", "exit 0"],
    ],
)
def test_what_did_not_run_the_program_is_not_believed(argv):
    done = shake(argv)
    assert done.state == "failed"
    assert done.handshake.python is None


def test_a_mark_of_another_session_is_not_believed():
    shaken = bootstrap.Handshake(NONCE, PROGRAM)
    other = bootstrap.new_nonce()
    assert shaken.feed(f"{bootstrap.start_mark(other)} 51054320\n".encode()) == b""
    assert shaken.feed(f"{bootstrap.start_mark(NONCE)} 51054320\n".encode())  # the positive control


def test_a_payload_that_lost_bytes_is_not_run():
    class Eaten(bootstrap.Handshake):
        def feed(self, data):
            sent = super().feed(data)
            return sent[:-40] + b"x" * 40 if sent else sent

    done = shake(bootstrap.argv(NONCE), handshake=Eaten(NONCE, PROGRAM))
    assert (done.state, done.handshake.problem, done.out) == ("failed", "input", b"")


def test_standard_output_that_is_sent_away_is_noticed():
    words = bootstrap.words(NONCE)
    done = shake(["/bin/bash", "-c", f"exec >/dev/null; {words}"])
    assert (done.state, done.handshake.problem) == ("failed", "output")
    assert (done.out, done.code) == (b"", 0)


@pytest.mark.skipif(shutil.which("script") is None, reason="script is not installed")
def test_a_terminal_of_the_logins_own_is_noticed():
    done = shake(["script", "-qec", bootstrap.words(NONCE), "/dev/null"])
    assert (done.state, done.handshake.problem) == ("failed", "terminal")


def test_a_python_that_is_too_old_is_passed_over_and_named():
    script = bootstrap.argv(NONCE)[2]
    assert "< 0x3060000" in script
    done = shake(["/bin/sh", "-c", script.replace("< 0x3060000", "< 0x9060000")])
    assert (done.state, done.handshake.bare_words[0]) == ("bare", "old")


@pytest.mark.parametrize("shell", [*shells()])
def test_without_a_python_sh_says_so_with_a_mark_that_it_computed(shell):
    words = bootstrap.words(NONCE).replace(*NO_PYTHON).replace("command -v python3", "echo")
    assert bootstrap.bare_mark(NONCE) not in words
    done = shake([*shell, "-c", words])
    assert (done.state, done.handshake.bare_words[0]) == ("bare", "none")
    assert (done.out, done.code) == (b"", 0)
    assert done.handshake.bare_words[3]


def test_the_mark_may_come_in_pieces():
    shaken = bootstrap.Handshake(NONCE, PROGRAM)
    text = f"noise{bootstrap.start_mark(NONCE)} 51054320\n".encode()
    answers = [shaken.feed(bytes([byte])) for byte in text]
    assert answers[-1][:1] == b"\x01"
    assert not any(answers[:-1])
    assert shaken.noise == b"noise"


def test_noise_without_end_is_counted_and_given_up():
    shaken = bootstrap.Handshake(NONCE, PROGRAM)
    while shaken.state == "waiting":
        shaken.feed(b"y\n" * 32768)
    assert (shaken.state, shaken.problem) == ("failed", "flood")
    assert len(shaken.noise) == bootstrap.NOISE_KEPT
    assert shaken.noise_bytes > bootstrap.NOISE_MOST


def test_a_nonce_is_hexadecimal_and_new_each_time():
    assert bootstrap.new_nonce() != bootstrap.new_nonce()
    with pytest.raises(ValueError, match="reboot"):
        bootstrap.words("$(reboot)")


@pytest.mark.parametrize(
    ("files", "starts"),
    [
        ({"memory.max": "67108864", "memory.current": "60000000", "memory.stat": "inactive_file 0"}, False),
        ({"memory.max": "67108864", "memory.current": "60000000", "memory.stat": "anon 1\ninactive_file 50000000"}, True),
        ({"memory.max": "max", "memory.current": "60000000", "memory.stat": ""}, True),
        ({"memory/memory.limit_in_bytes": "67108864", "memory/memory.usage_in_bytes": "60000000",
          "memory/memory.stat": "inactive_file 9\ntotal_inactive_file 0"}, False),
        ({"memory/memory.limit_in_bytes": "9223372036854771712", "memory/memory.usage_in_bytes": "6",
          "memory/memory.stat": ""}, True),
        ({}, True),
    ],
)  # fmt: skip
def test_no_python_is_started_where_a_memory_limit_leaves_no_room(tmp_path, files, starts):
    """The service's container is not brought to its limit; sh serves alone and says why."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n")
    nonce = bootstrap.new_nonce()
    script = bootstrap.argv(nonce)[2].replace("/sys/fs/cgroup", str(tmp_path))
    assert str(tmp_path) in script
    handshake = bootstrap.Handshake(nonce, b"")
    done = subprocess.run(["/bin/sh", "-c", script], input=b"", capture_output=True, check=False)
    handshake.feed(done.stdout)
    if starts:
        assert handshake.python is not None
    else:
        assert handshake.state == "bare"
        assert handshake.bare_words[0] == "full"
