"""The bootstrap, run for real in each shell that this machine has, and against what answers falsely."""

import contextlib
import os
import shutil
import subprocess
import sys

import pytest

from locard.transport import bootstrap

NONCE = "0123456789abcdef0123456789abcdef"
PROGRAM = b"import os\nos.write(1, ('hello ' + __name__ + ' ' + NONCE).encode())\n"
NO_PYTHON = ("/usr/bin/python3 /usr/local/bin/python3", "/nonexistent")


def shake(argv, program=PROGRAM, handshake=None, **options):
    """Drive the handshake against a real process; the handshake, what followed, its end."""
    shake = handshake or bootstrap.Handshake(NONCE, program)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(argv, **pipes, **options) as child:
        send(child, shake.first_bytes())
        while shake.state == "waiting":
            data = os.read(child.stdout.fileno(), 1 << 16)
            if not data:
                shake.closed()
                break
            send(child, shake.feed(data))
        out, err = child.communicate(timeout=30)
    shake.feed_errors(err)
    return shake, shake.rest + out, err, child.returncode


def send(child, data):
    with contextlib.suppress(BrokenPipeError):  # it may have ended
        child.stdin.write(data)
        child.stdin.flush()


def shells():
    for name in ("sh", "dash", "bash", "fish", "tcsh", "zsh", "ksh", "mksh", "busybox"):
        found = shutil.which(name)
        missing = pytest.mark.skipif(found is None, reason=f"{name} is not installed")
        yield pytest.param([found, *(["ash"] if name == "busybox" else [])], id=name, marks=missing)


@pytest.mark.parametrize("shell", [*shells()])
def test_every_login_shell_starts_the_program(shell):
    shake, rest, err, code = shake_in(shell, bootstrap.words(NONCE))
    assert (shake.state, rest) == ("open", f"hello locard_far {NONCE}".encode())
    assert (err, code, shake.noise_bytes) == (b"", 0, 0)


def shake_in(shell, words):
    return shake([*shell, "-c", words])


def test_no_character_that_a_shell_reads_within_single_quotes():
    words = bootstrap.words(NONCE)
    assert words.count("'") == 2
    assert not set("!\\\n\t") & set(words)
    assert words.isascii()


def test_this_machines_python_needs_no_shell():
    shake_, rest, _, _ = shake(bootstrap.python_argv(NONCE, sys.executable))
    assert (shake_.state, shake_.python) == ("open", sys.version_info[:2])
    assert rest.startswith(b"hello")


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
    shake_, rest, _, _ = shake(
        ["/bin/bash", "-c", login.format(bootstrap.words(NONCE).removeprefix("exec "))]
    )
    assert shake_.state == "open"
    assert rest.startswith(b"hello")
    assert (shake_.noise, shake_.noise_bytes) == (noise, len(noise))


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
    shake_, _, _, _ = shake(argv)
    assert shake_.state == "failed"
    assert shake_.python is None


def test_a_mark_of_another_session_is_not_believed():
    shake_ = bootstrap.Handshake(NONCE, PROGRAM)
    other = bootstrap.new_nonce()
    assert shake_.feed(f"{bootstrap.start_mark(other)} 51054320\n".encode()) == b""
    assert shake_.feed(f"{bootstrap.start_mark(NONCE)} 51054320\n".encode())  # the positive control


def test_a_payload_that_lost_bytes_is_not_run():
    class Eaten(bootstrap.Handshake):
        def feed(self, data):
            sent = super().feed(data)
            return sent[:-40] + b"x" * 40 if sent else sent

    shake_, rest, _, _ = shake(bootstrap.argv(NONCE), handshake=Eaten(NONCE, PROGRAM))
    assert (shake_.state, shake_.problem, rest) == ("failed", "input", b"")


def test_standard_output_that_is_sent_away_is_noticed():
    words = bootstrap.words(NONCE)
    shake_, rest, _, code = shake(["/bin/bash", "-c", f"exec >/dev/null; {words}"])
    assert (shake_.state, shake_.problem, rest, code) == ("failed", "output", b"", 0)


def test_a_python_that_is_too_old_is_passed_over_and_named():
    script = bootstrap.argv(NONCE)[2]
    assert "< 0x3060000" in script
    shake_, _, _, _ = shake(["/bin/sh", "-c", script.replace("< 0x3060000", "< 0x9060000")])
    assert shake_.state == "bare"
    assert shake_.bare_words[0] == "old"


@pytest.mark.parametrize("shell", [*shells()])
def test_without_a_python_sh_says_so_with_a_mark_that_it_computed(shell):
    words = bootstrap.words(NONCE).replace(*NO_PYTHON).replace("command -v python3", "echo")
    assert bootstrap.bare_mark(NONCE) not in words
    shake_, rest, _, code = shake_in(shell, words)
    assert (shake_.state, shake_.bare_words[0], rest, code) == ("bare", "none", b"", 0)
    assert shake_.bare_words[3]


def test_the_mark_may_come_in_pieces():
    shake_ = bootstrap.Handshake(NONCE, PROGRAM)
    text = f"noise{bootstrap.start_mark(NONCE)} 51054320\n".encode()
    answers = [shake_.feed(bytes([byte])) for byte in text]
    assert answers[-1][:1] == b"\x01"
    assert not any(answers[:-1])
    assert shake_.noise == b"noise"


def test_noise_without_end_is_counted_and_given_up():
    shake_ = bootstrap.Handshake(NONCE, PROGRAM)
    while shake_.state == "waiting":
        shake_.feed(b"y\n" * 32768)
    assert (shake_.state, shake_.problem) == ("failed", "flood")
    assert len(shake_.noise) == bootstrap.NOISE_KEPT
    assert shake_.noise_bytes > bootstrap.NOISE_MOST


def test_a_nonce_is_hexadecimal_and_new_each_time():
    assert bootstrap.new_nonce() != bootstrap.new_nonce()
    with pytest.raises(ValueError, match="reboot"):
        bootstrap.words("$(reboot)")
