"""A session without python3: the sh of the bootstrap starts one command after the other.

The words of a command are lines that `read` takes as data: no shell interprets any of them. What
ends a command is a line with a mark, in both streams. Pure: the session moves the bytes.
"""

from __future__ import annotations

import math
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locard.model.errors import NotPermittedError
from locard.transport.bootstrap import bare_mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.transport.running import Running

_KILLED, _NOT_FOUND = 137, 127  # exit codes: of `timeout -s KILL`, and of env for no such program
_KEPT = 64  # bytes: the longest ending line
_OVERDUE_S = 10.0  # after its bound, a run that the place did not end
_UNHELD_S = 1.0  # the same where nothing there holds the bound


def ask(argv: tuple[str, ...], bound_s: float) -> bytes:
    """What to write to run a command there; raises where it cannot be said in lines.

    `env` starts it: the first word may neither set a variable nor be an option. The bound is the
    next whole second, and is held there only if `Handshake.bare_words[1]` is "timeout".
    """
    if not argv or "=" in argv[0] or argv[0].startswith("-"):
        raise NotPermittedError(
            "the command cannot be run there", "its first word is no program", "Report this bug."
        )
    if any("\n" in word or "\0" in word for word in argv):
        raise NotPermittedError(
            "the command cannot be run there",
            "a word of it holds a line end, and without a python3 words travel as lines",
            "Use a place with python3 for it.",
        )
    lines = (str(len(argv)), str(max(1, math.ceil(bound_s))), *argv)
    return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"


@dataclass(slots=True)
class Answer:
    """The output of one command, as it grows."""

    nonce: str
    exit_code: int | None = None
    _held: dict[str, bytes] = field(default_factory=lambda: {"stdout": b"", "stderr": b""})
    _ended: set[str] = field(default_factory=set)
    rest: dict[str, bytes] = field(
        default_factory=dict
    )  # behind the end: nothing is expected there

    @property
    def ended(self) -> bool:
        """Whether the mark came in both streams."""
        return len(self._ended) == len(self._held)

    def feed(self, stream: str, data: bytes) -> bytes:
        """The bytes of the command itself in what came on `stdout` or `stderr`."""
        if stream in self._ended:
            self.rest[stream] = self.rest.get(stream, b"") + data
            return b""
        seen = self._held[stream] + data
        ending = re.search(rb"\n%s (\d{1,3})\n" % bare_mark(self.nonce).encode(), seen)
        if ending is not None:
            self._ended.add(stream)
            self.exit_code = int(ending[1])
            self.rest[stream] = seen[ending.end() :]
            return seen[: ending.start()]
        keep = min(len(seen), _KEPT)
        self._held[stream] = seen[len(seen) - keep :]
        return seen[: len(seen) - keep]

    def cut(self) -> dict[str, bytes]:
        """What was held back when the session ended before the command."""
        return {name: data for name, data in self._held.items() if name not in self._ended}


_WHY = {
    "none": "there is no python3 of at least 3.6 there",
    "old": "the python3 there is older than 3.6",
    "unfit": "the python3 there cannot be started",
    "full": "no python3 was started there: the memory limit leaves no room for it",
}


class BareChannel:
    """Runs over a session without python3: one at a time, in the order in which they were started."""

    def __init__(
        self,
        nonce: str,
        send: Callable[[bytes], None],
        lacks: str = "none",
        *,
        holds_bounds: bool = True,
    ) -> None:
        """`send` writes to the sh over there; `lacks` is why that serves (`Ground.lacks`).

        `holds_bounds`: the place has a `timeout`.
        """
        self._holds_bounds = holds_bounds
        self._lacks = lacks
        self._nonce = nonce
        self._send = send
        self._queue: deque[Running] = deque()
        self._grown: dict[int, Running] = {}
        self._answer: Answer | None = None

    @property
    def waiting(self) -> tuple[Running, ...]:
        """The run that is at work, then those behind it; not one that was given up."""
        return tuple(run for run in self._queue if not run.ended)

    def start(self, run: Running) -> None:
        """Queue a run; what needs a python3 ends at once and says so."""
        if run.prepared.program is not None:
            self._end(run, _WHY.get(self._lacks, _WHY["none"]), refused=True)
            return
        if self._queue and self._queue[0].ended and time.monotonic() >= self._patient_until():
            self._end(run, self._blocked(), refused=True)
            return
        try:
            ask(run.prepared.argv, run.bound_s)
        except NotPermittedError as error:
            self._end(run, error.why, refused=True)
            return
        run.clock = float("inf")
        self._queue.append(run)
        self._next()

    def stop(self, run: Running, why: str) -> None:
        """A run that waits is withdrawn; one that is at work cannot be reached: it ends with its bound."""
        if run in self._queue and (run is not self._queue[0] or self._answer is None):
            self._queue.remove(run)
            self._end(run, why, refused=True)

    def feed(self, stream: str, data: bytes) -> None:
        """Take what came on `stdout` or `stderr`."""
        if self._answer is None:
            return
        run = self._queue[0]
        more = self._answer.feed(stream, data)
        if not run.ended:
            run.keep(stream, more, run.permit.command.max_bytes)
            self._grown[run.number] = run
        if self._answer.ended:
            code, self._answer = self._answer.exit_code, None
            self._queue.popleft()
            if not run.ended:
                self._ended(run, code)
            self._next()

    @staticmethod
    def _ended(run: Running, code: int | None) -> None:
        timed_out = code == _KILLED and run.ran_s >= run.bound_s
        run.end = {
            "code": None if timed_out else code,
            "kind": "bound" if timed_out else "",
            "why": f"stopped after its time bound of {run.bound_s:.1f} s" if timed_out else "",
            "took": run.ran_s,
        }
        if code == _NOT_FOUND:
            run.end |= {"code": None, "missing": True,
                        "why": f"{run.prepared.argv[0]} is not installed"}  # fmt: skip

    def due(self) -> float:
        """When `end_overdue` or `take_grown` has something to do, by the monotonic clock."""
        if self._grown:
            return 0.0
        return self._patient_until() if self.waiting else float("inf")

    def _patient_until(self) -> float:
        """Until when the end of what is at work is waited for."""
        first = self._queue[0]
        return first.clock + first.bound_s + (_OVERDUE_S if self._holds_bounds else _UNHELD_S)

    def end_overdue(self, now: float) -> None:
        """Give up what the place did not end, and what waits behind it: only its own end frees the sh."""
        if not self.waiting or now < self._patient_until():
            return
        for run in self.waiting:
            if run.waits:
                self._queue.remove(run)
                self._end(run, self._blocked(), refused=True)
                continue
            why = f"no end after its time bound of {run.bound_s:.1f} s, which " + (
                "was not held there"
                if self._holds_bounds
                else "could not be held there: no timeout is installed, and it may go on"
            )
            run.end = {"code": None, "kind": "bound", "why": why, "took": run.ran_s}
            self._grown[run.number] = run

    def _blocked(self) -> str:
        """Why nothing more begins for now."""
        name = self._queue[0].prepared.argv[0]
        return f"{name} has not ended there yet, and without a python3 one command runs at a time"

    def take_grown(self) -> list[Running]:
        """The runs that grew or ended since the last call."""
        grown, self._grown = list(self._grown.values()), {}
        return grown

    def _next(self) -> None:
        if self._answer is None and self._queue:
            run = self._queue[0]
            run.began, run.clock = time.time(), time.monotonic()
            self._answer = Answer(self._nonce)
            self._send(ask(run.prepared.argv, run.bound_s))

    def _end(self, run: Running, why: str, *, refused: bool) -> None:
        run.end = {"code": None, "kind": "refused" if refused else "", "why": why, "took": 0.0}
        self._grown[run.number] = run
