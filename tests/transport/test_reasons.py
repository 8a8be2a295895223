"""Ends in words: no number that says nothing to who reads it, and none that is false."""

from __future__ import annotations

import pytest

from locard.transport import local, ssh

TIMED_OUT = b"ssh: connect to host web port 22: Connection timed out\n"


@pytest.mark.parametrize(
    ("waited_s", "words"),
    [(0.1, "no answer until the time-out; ssh said"), (12.2, "the time-out (12 s); ssh said")],
)
def test_a_wait_that_was_none_has_no_number(waited_s, words):
    assert words in ssh.explain("host/web", 255, TIMED_OUT, b"", waited_s).why


@pytest.mark.parametrize("said", [b"", b"half a word"])
@pytest.mark.parametrize("number", [9, 15])
def test_a_client_that_was_killed(number, said):
    why = ssh.explain("host/web", -number, said, b"", 1.0).why
    assert why.startswith(f"its client here was killed (signal {number})")
    assert said.decode() in why
    assert f"-{number}" not in why


def test_a_session_that_was_killed():
    assert "was killed (signal 15)" in ssh.explain("host/w", -15, b"", b"", 1.0, problem="lost").why
    assert "ended by itself (exit 3)" in ssh.explain("host/w", 3, b"", b"", 1.0, problem="lost").why


def test_our_own_interpreter_that_was_killed():
    assert "was killed (signal 9)" in local.explain("host/local", -9, b"", b"", 1.0).why
    assert "gave up after 15 s" in local.explain("host/local", None, b"", b"", 15.0).why
