"""Fixtures of all tests."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import pytest

from support import PROGRAMS, Locard, started

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell's job in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """No test writes into the user's own state directory."""
    path = tmp_path / "state"
    monkeypatch.setenv("LOCARD_STATE", str(path))
    return path


@pytest.fixture
def locard():
    return Locard()


@pytest.fixture
def start():
    """Start programs that end with the test: `start("idle_pool.py")`, `start("-c", code)`."""
    with contextlib.ExitStack() as stack:

        def begin(*argv, **options):
            if not str(argv[0]).startswith("-") and not Path(argv[0]).is_absolute():
                argv = (PROGRAMS / argv[0], *argv[1:])
            return stack.enter_context(started(*argv, **options))

        yield begin
