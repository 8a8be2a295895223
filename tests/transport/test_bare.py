"""A session without python3: real shells run what they are given as data."""

import shutil

import pytest

from far_handshake import NONCE, shake
from locard.model.errors import NotPermittedError
from locard.transport import bare, bootstrap

WORDS = bootstrap.argv(NONCE)[2].replace("/usr/bin/python3 /usr/local/bin/python3", "/nonexistent")
WORDS = WORDS.replace("command -v python3", "echo")
SHELLS = [["/bin/sh"], ["/bin/bash"]] + [["busybox", "ash"]] * bool(shutil.which("busybox"))


def answers(shell, *asked):
    """(output, standard error, exit code) of each command."""
    done = shake([*shell, "-c", WORDS], then=b"".join(bare.ask(argv, 2) for argv in asked))
    assert done.state == "bare"
    streams = {"stdout": done.out, "stderr": done.err}
    found = []
    for _ in asked:
        answer = bare.Answer(NONCE)
        parts = {name: answer.feed(name, data) for name, data in streams.items()}
        assert answer.ended
        streams = answer.rest
        found.append((parts["stdout"], parts["stderr"], answer.exit_code))
    return found


@pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[-1])
def test_words_stay_data(shell, tmp_path):
    evil = f"$(touch {tmp_path}/x) `id` \"; touch {tmp_path}/x; \\ ' * ~ !"
    ((out, err, code),) = answers(shell, ("printf", "<%s>", evil, "", "  two  ", "-n"))
    assert out.decode() == f"<{evil}><><  two  ><-n>"
    assert (err, code) == (b"", 0)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda argv: argv[-1])
def test_each_command_has_its_own_end(shell):
    got = answers(
        shell,
        ("echo", "one"),
        ("ls", "/nonexistent"),
        ("cat", "/proc/self/status"),
        ("sleep", "60"),
    )
    assert got[0] == (b"one\n", b"", 0)
    assert b"nonexistent" in got[1][1]
    assert got[1][2] > 0
    assert got[2][0].startswith(b"Name:")
    assert got[3][2] == 137  # its bound, held over there


def test_no_builtin_of_the_shell_runs():
    ((out, _, code),) = answers(["/bin/sh"], ("eval", "echo ran"))
    assert (out, code) == (b"", 127)


@pytest.mark.parametrize("argv", [(), ("A=1", "id"), ("-i",), ("echo", "two\nlines")])
def test_what_cannot_be_said_in_lines_is_refused(argv):
    with pytest.raises(NotPermittedError):
        bare.ask(argv, 1)


def test_an_output_that_holds_the_mark_of_another_session_goes_on():
    answer = bare.Answer(NONCE)
    other = f"\n{bootstrap.bare_mark('f' * 32)} 0\n".encode()
    mark = f"\n{bootstrap.bare_mark(NONCE)} 3\n".encode()
    got = b"".join(answer.feed("stdout", bytes([b])) for b in other + b"end" + mark)
    assert got == other + b"end"
    assert (answer.exit_code, answer.ended) == (3, False)
    answer.feed("stderr", mark)
    assert answer.ended
