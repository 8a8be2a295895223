"""The local transport: runs permits as children of this process, bounded in time and output.

Each child has a process group of its own, idle CPU and I/O priority, and dies with locard even
when that is killed with SIGKILL. On time-out the whole group is killed and what came is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pwd
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from locard import __version__
from locard.model.evidence import Identity, Output
from locard.transport._child import become_harmless, environment

if TYPE_CHECKING:
    from locard.guard.command import Command
    from locard.guard.gate import Permit

_PACKAGE = Path(__file__).parent.parent
_MAX_STDERR = 64 << 10
_CHUNK = 1 << 16
_REAPING_S = 2.0
_ENDING_S = 0.002  # between looks at a child that has closed its outputs
_AGENT = f"locard/{__version__}"  # by which a target's log tells our requests from its clients'
_GET_PROGRAM = "transport/_http_get.py"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command as this transport runs it: the exact argv and what goes to standard input."""

    argv: tuple[str, ...]
    program: bytes | None = None
    missing: str = ""
    secret: str = ""  # goes before the program: what must not stand in an argv

    @property
    def stdin(self) -> bytes | None:
        """What the interpreter is given to run."""
        return self.secret.encode() + self.program if self.program is not None else None

    @property
    def program_digest(self) -> str | None:
        """SHA-256 of the reader that is streamed, as hex."""
        return hashlib.sha256(self.program).hexdigest() if self.program is not None else None


def identity() -> Identity:
    """Where and as whom this transport runs."""
    uid = os.geteuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Identity(socket.gethostname(), user, uid, os.environ.get("SUDO_USER"))


def prepare(command: Command) -> Prepared:
    """The exact argv on this machine; `missing` says which executable is not there."""
    if command.via == "http":
        method, url = command.argv
        argv = (sys.executable, "-I", "-S", "-", method, _public(url), str(command.max_bytes))
        return Prepared(
            argv,
            (_PACKAGE / _GET_PROGRAM).read_bytes(),
            secret=f"URL = {url!r}\nAGENT = {_AGENT!r}\n",
        )
    name, rest = command.argv[0], command.argv[1:]
    if command.program is not None:
        return Prepared((sys.executable, *rest), (_PACKAGE / command.program).read_bytes())
    if name == "locard":
        return Prepared((sys.executable, *_isolated(), "-m", "locard", *rest))
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        return Prepared(command.argv, missing=name)
    return Prepared((found, *rest))


def _isolated() -> tuple[str, ...]:
    """Flags of an interpreter that imports nothing from its folder or the environment.

    Where locard was installed for one user only, `-I` would not find it.
    """
    users = getattr(sys.modules.get("site"), "USER_SITE", None)
    return ("-E", "-P") if users and str(_PACKAGE).startswith(users) else ("-I",)


def _public(url: str) -> str:
    """The URL without user, password and query: every user of the machine may read an argv."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def run(permit: Permit, bound_s: float) -> Output:
    """Run it and wait, at most `bound_s` seconds; never raises for what the child does."""
    command = permit.command
    prepared = prepare(command)
    started = time.time()
    if prepared.missing:
        return Output(
            prepared.argv,
            b"",
            exit_code=None,
            started=started,
            problem=f"{prepared.missing} is not installed",
        )
    try:
        child = _spawn(prepared, inherit_stdin=command.stdin)
    except OSError as error:
        return Output(
            prepared.argv, b"", exit_code=None, started=started, problem=f"did not start: {error}"
        )
    output = _collect(child, prepared, command, bound_s, started)
    return _with_http_status(output) if command.via == "http" else output


def _spawn(prepared: Prepared, *, inherit_stdin: bool) -> subprocess.Popen[bytes]:
    if prepared.program is not None:
        stdin: int | None = subprocess.PIPE
    else:
        stdin = None if inherit_stdin else subprocess.DEVNULL
    parent = os.getpid()
    return subprocess.Popen(  # the argv passed the gate; there is no shell
        prepared.argv,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd="/",
        start_new_session=True,
        # Children are started from the main thread only, between which and fork no lock is held.
        preexec_fn=lambda: become_harmless(parent),  # noqa: PLW1509
    )


def _collect(
    child: subprocess.Popen[bytes],
    prepared: Prepared,
    command: Command,
    bound_s: float,
    started: float,
) -> Output:
    clock = time.monotonic()
    pump = _Pump(child, prepared.stdin, command.max_bytes)
    try:
        finished = pump.run(clock + bound_s)
    finally:  # also on KeyboardInterrupt: nothing stays behind
        _kill_group(child)
    duration = time.monotonic() - clock
    problem = ""
    if not finished:
        if pump.truncated:
            problem = f"stopped after {command.max_bytes} bytes of output"
        else:
            problem = f"stopped after its time bound of {bound_s:.1f} s"
    return Output(
        prepared.argv,
        bytes(pump.out),
        bytes(pump.err),
        exit_code=child.returncode if finished else None,
        timed_out=not finished and not pump.truncated,
        truncated=pump.truncated,
        started=started,
        duration_s=duration,
        problem=problem,
    )


class _Pump:
    """Moves bytes to and from one child until it ends, the deadline passes or a limit is hit."""

    def __init__(self, child: subprocess.Popen[bytes], program: bytes | None, limit: int) -> None:
        self._child = child
        self._limit = limit
        self._left = memoryview(program or b"")
        self.out = bytearray()
        self.err = bytearray()
        self.truncated = False

    def run(self, deadline: float) -> bool:
        """True when the child ended by itself."""
        with selectors.DefaultSelector() as selector:
            for stream in (self._child.stdout, self._child.stderr):
                if stream is not None:
                    os.set_blocking(stream.fileno(), False)
                    selector.register(stream, selectors.EVENT_READ)
            if self._child.stdin is not None:
                os.set_blocking(self._child.stdin.fileno(), False)
                selector.register(self._child.stdin, selectors.EVENT_WRITE)
            while selector.get_map():
                left = deadline - time.monotonic()
                if left <= 0 or self.truncated:
                    return False
                for key, _ in selector.select(left):
                    self._move(selector, key.fileobj)  # type: ignore[arg-type] # streams only
        return self._ended(deadline)

    def _move(self, selector: selectors.BaseSelector, stream: IO[bytes]) -> None:
        if stream is self._child.stdin:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                self._left = self._left[os.write(stream.fileno(), self._left[:_CHUNK]) :]
                if self._left:
                    return
            selector.unregister(stream)
            with contextlib.suppress(BrokenPipeError):
                stream.close()
            return
        data = os.read(stream.fileno(), _CHUNK)
        if not data:
            selector.unregister(stream)
        elif stream is self._child.stdout:
            room = self._limit - len(self.out)
            self.out += data[:room]
            self.truncated = len(data) > room
        else:
            self.err += data[: _MAX_STDERR - len(self.err)]

    def _ended(self, deadline: float) -> bool:
        # Look without reaping: until it is reaped its pid, and so its group's, cannot be reused.
        look = os.WEXITED | os.WNOWAIT | os.WNOHANG
        while os.waitid(os.P_PID, self._child.pid, look) is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(_ENDING_S)
        return True


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the child's process group and reap the child.

    A child in an uninterruptible sleep (a dead disk) is left to end when it can: a hang of the
    machine must not become one of locard.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_REAPING_S)
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def _with_http_status(output: Output) -> Output:
    """Move what the GET program said on standard error into the output's own fields."""
    try:
        said = json.loads(output.stderr.decode().splitlines()[-1])
    except (ValueError, IndexError):
        return output
    if "status" not in said and "problem" not in said:
        return output
    if "problem" in said:
        return replace(output, problem=f"no answer: {said['problem']}")
    return replace(
        output, http_status=said["status"], truncated=output.truncated or said["truncated"]
    )
