"""Start and end the lab's processes. None of them outlives the lab, even if that is killed."""

from __future__ import annotations

import ctypes
import os
import re
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from locard.lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(slots=True)
class Child:
    """One process of the lab: its name in messages, and what it said on standard error."""

    name: str
    process: subprocess.Popen[str]
    stderr: Path

    def tell(self, line: str) -> None:
        """Write one line to its standard input; raises LabError if it is gone."""
        assert self.process.stdin is not None  # noqa: S101 - every child has a pipe
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError:
            raise self.died() from None

    def first_line(self, timeout_s: float) -> str:
        """The line with which it says that it is ready; raises LabError if none comes."""
        assert self.process.stdout is not None  # noqa: S101 - as above
        ready, _, _ = select.select([self.process.stdout], [], [], timeout_s)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise self.died()
        return line.strip()

    def died(self) -> LabError:
        """The error that says how it ended."""
        code = self.process.poll()
        said = self.stderr.read_text(errors="replace").strip().splitlines()[-3:]
        how = "does not answer" if code is None else f"ended with exit code {code}"
        return LabError(
            f"the lab's {self.name} {how}",
            " / ".join(said) or "it said nothing",
            "Try again with --keep and read the files in the run directory.",
        )


def start(
    name: str,
    argv: list[str],
    *,
    cwd: Path,
    stderr: Path,
    stdout: Path | None = None,
    env: dict[str, str] | None = None,
) -> Child:
    """Start a process in a session of its own. Without `stdout` its output is a pipe.

    The environment is a bare one plus `env`, so that nothing of the caller's leaks into it.
    """
    bare = {k: os.environ[k] for k in ("PATH", "LANG", "TMPDIR") if k in os.environ}
    with stderr.open("ab") as err:
        out = stdout.open("ab") if stdout else None
        try:
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env=bare | {"PYTHONDONTWRITEBYTECODE": "1"} | (env or {}),
                stdin=subprocess.PIPE,
                stdout=out or subprocess.PIPE,
                stderr=err,
                text=True,
                start_new_session=True,
                preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509 - one thread starts everything
            )
        finally:
            if out:
                out.close()
    return Child(name, process, stderr)


def dies_with(parent: int) -> Callable[[], None]:
    """What a child runs before exec: it is killed when its parent ends, however that happens."""

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent ended before the line above
            os._exit(1)

    return prepare


def family(pid: int) -> tuple[int, ...]:
    """The pid and all its descendants that are alive now."""
    found = [pid]
    for member in found:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                found.extend(int(p) for p in children.read_text().split())
            except OSError:
                continue
    return tuple(found)


def end(children: Iterable[Child], grace_s: float = 3.0, *, politely: bool = False) -> None:
    """Ask every process to end, then kill what is left, workers included; waits until all are gone.

    `politely` only closes their standard input, for those that have something to finish.
    """
    children = tuple(children)
    everyone = {pid for c in children if c.process.poll() is None for pid in family(c.process.pid)}
    for child in children:
        if child.process.stdin is not None:
            try:
                child.process.stdin.close()
            except OSError:
                continue
    for child in children:
        if not politely and child.process.poll() is None:
            child.process.terminate()
    deadline = time.monotonic() + grace_s
    for child in children:
        try:
            child.process.wait(max(0.05, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        if child.process.stdout is not None:
            child.process.stdout.close()
    sessions = {child.process.pid for child in children}
    for pid in everyone - sessions:
        _end_leftover(pid, sessions, deadline)


def running(pid: int, sessions: set[int]) -> bool:
    """Whether the pid is still a live process of one of these sessions, not a later stranger."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in {"Z", "X"} and os.getsid(pid) in sessions
    except OSError:
        return False


def _end_leftover(pid: int, sessions: set[int], deadline: float) -> None:
    """A worker ends with its master; one that does not within the time is killed."""
    while running(pid, sessions):
        if time.monotonic() >= deadline:
            os.kill(pid, signal.SIGKILL)
            deadline += 1
        time.sleep(0.02)


def hide(words: set[str]) -> None:
    """Overwrite these words of our own command line, so that `ps` and /proc do not tell them.

    An investigation that runs beside a demo must not be able to read the answer there.
    """
    stat = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end_ = int(stat[45]), int(stat[46])  # arg_start and arg_end: fields 48 and 49
    for found in re.finditer(rb"[^\0]+", ctypes.string_at(start, end_ - start)):
        if found[0].decode(errors="replace") in words:
            ctypes.memset(start + found.start(), ord("-"), len(found[0]))
