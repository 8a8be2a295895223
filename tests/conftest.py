"""Fixtures of all tests."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import pytest

from far_places import Containers, Network, UnavailableError
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


def _far(kind, tmp_path_factory):
    places = kind(tmp_path_factory.mktemp("far"))
    try:
        places.start()
    except UnavailableError as why:
        pytest.skip(str(why))
    try:
        yield places
    finally:
        places.close()


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    """Hosts with a real sshd, in namespaces; skips with the reason where there can be none."""
    yield from _far(Network, tmp_path_factory)


@pytest.fixture(scope="session")
def containers(tmp_path_factory):
    """Real podman containers in a storage of their own; skips with the reason."""
    yield from _far(Containers, tmp_path_factory)
