"""A permit's output as it comes: for logs, which may be longer than memory and may never end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.transport._child import become_harmless, environment
from locard.transport.local import prepare

if TYPE_CHECKING:
    from locard.guard.gate import Permit

_MOST_COMPLAINT = 4 << 10
_REAPING_S = 2.0


@dataclass(slots=True)
class Stream:
    """A running child. Read `fd`; `drain` keeps what it says on standard error; `close` ends it."""

    argv: tuple[str, ...]
    child: subprocess.Popen[bytes]
    said: bytearray = field(default_factory=bytearray)

    @property
    def fd(self) -> int:
        """The descriptor of its standard output."""
        return self.child.stdout.fileno() if self.child.stdout else -1

    def drain(self) -> None:
        """Take what stands in its standard error, so that it never waits for us."""
        if self.child.stderr is None or self.child.stderr.closed:
            return
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.child.stderr.fileno(), 1 << 16):
                self.said += data
                del self.said[:-_MOST_COMPLAINT]

    def complaint(self) -> str:
        """The last line that it said on standard error: what it ended with."""
        self.drain()
        lines = self.said.decode("utf-8", "replace").split("\n")
        return next((" ".join(line.split()) for line in reversed(lines) if line.strip()), "")

    def exit_code(self) -> int | None:
        """Its exit code; waits a moment, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(_REAPING_S)
        return self.child.returncode

    def close(self) -> None:
        """End it and what it has started, and reap it."""
        self.drain()
        if self.child.returncode is None:  # until it is reaped its group's number is its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.child.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(_REAPING_S)
        for pipe in (self.child.stdout, self.child.stderr):
            if pipe is not None:
                pipe.close()


def start(permit: Permit, *, merged: bool = False) -> Stream | None:
    """Start it; None where its program is not installed. `merged` puts both outputs into one.

    Raises OSError where it cannot be started.
    """
    prepared = prepare(permit.command)
    if prepared.missing:
        return None
    parent = os.getpid()
    child = subprocess.Popen(  # the argv passed the gate; there is no shell
        prepared.argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        env=environment(),
        cwd="/",
        start_new_session=True,
        # Children are started from the main thread only, between which and fork no lock is held.
        preexec_fn=lambda: become_harmless(parent),  # noqa: PLW1509
    )
    if child.stderr is not None:
        os.set_blocking(child.stderr.fileno(), False)
    return Stream(prepared.argv, child)
