"""A log that a command prints: through the gate, at its place, read as it comes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.input.log_source import Source
from locard.model.errors import SourceUnreadableError
from locard.model.place import typed_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.guard.command import Command, Template
    from locard.model.evidence import Output
    from locard.model.place import Place
    from locard.transport.running import Running

_POLL_S = 0.25
_GATHER_S = 0.1  # at most, for a block
_MOST_SAID = 300


@dataclass(slots=True)
class PipedSource(Source):
    """The standard output of a command; one that fails without a word of log is an error."""

    running: Running | None = None
    by_hand: str = ""
    why_empty: Callable[[], str] | None = None  # asks the source why there is nothing, in words
    left_out: Callable[[], str] | None = None  # what of it the command did not print, in words

    def close(self) -> None:
        """End the command."""
        if self.running is not None and not self.running.ended:
            self.running.stop("its log is not read on")
            self.running.out.clear()

    def _wait(self, deadline: float) -> bool:
        """Wait until there is something to read or the command has ended."""
        from locard.transport import session  # noqa: PLC0415 - a log that is a file needs none of it

        running = self.running
        while running is not None and not running.out and not running.ended:
            left = deadline - time.monotonic()
            if left <= 0 or self.stopped:
                return False
            if not session.wait([running.session], min(left, _POLL_S)):
                self._idle()
        return not self.stopped and (time.monotonic() < deadline or bool(running and running.ended))

    def _gathered(self, data: bytes, want: int, deadline: float) -> bytes:
        """What came, with what follows at once: each block has its costs."""
        parts, size = [data], len(data)
        until = min(time.monotonic() + _GATHER_S, deadline)
        while parts[-1] and size < want and not self.stopped and time.monotonic() < until:
            if self.running is None or not self._wait(until):
                break
            parts.append(self.running.take(want - size))
            size += len(parts[-1])
        return b"".join(parts)

    def _read(self, want: int, deadline: float) -> bytes:
        if not self._wait(deadline):
            self._say(self.ended_by)
            return b""
        running = self.running
        data = running.take(want) if running is not None else b""
        if data or self.partial or running is None:
            return data
        output = running.output()
        if output.problem or output.exit_code:
            said = _last_line(output) or f"its exit code is {output.exit_code}"
            if self.bytes_read == 0:
                raise SourceUnreadableError(
                    f"cannot read the log of {self.name}",
                    said,
                    "Try it by hand:",
                    command=self.by_hand,
                )
            self._say(f"its command failed: {said}")
            return data
        self._say("")
        if self.bytes_read == 0 and self.why_empty is not None:
            why = self.why_empty()
            if why:
                raise SourceUnreadableError(
                    f"no log records in {self.name}",
                    why.rstrip("."),
                    "Look where the service writes its log, and name that file.",
                )
        return data

    def _say(self, why: str) -> None:
        """Why reading ended, beside what was left out before it began."""
        left_out = self.left_out() if self.left_out is not None else ""
        self.partial = "; ".join(part for part in (left_out, why) if part)


def _last_line(output: Output) -> str:
    """What a command ended with, on one line; what our own readers say first, as JSON, is none of it."""
    lines = output.stderr.decode("utf-8", "replace").split("\n")
    told = (" ".join(line.split()) for line in reversed(lines) if not line.startswith("{"))
    said = next((line for line in told if line), "")
    return (said or output.problem)[:_MOST_SAID]


def open_command(
    name: str,
    command: Command,
    declared: tuple[Template, ...],
    *,
    get: str,
    place: Place,
    merged: bool = False,
) -> PipedSource:
    """Start a declared command that prints a log; `get` says what to do where it is missing.

    Raises SourceUnreadableError, and what says why its place cannot be reached.
    """
    from locard.guard.policy import read_policy  # noqa: PLC0415 - a log that is a file needs none of it
    from locard.transport.reach import kept_session  # noqa: PLC0415 - as above

    session = kept_session(place)
    gate = read_policy().reading_gate({"logs": declared}, name, session.identity.user, place)
    running = session.start(gate.admit("logs", command), command.bound_s, merged=merged)
    if running.missing:
        raise SourceUnreadableError(
            f"cannot read the log of {name}",
            f"{command.argv[0]} is not installed {'here' if place.local else f'at {place.ref}'}",
            get[0].upper() + get[1:] + ".",
        )
    by_hand = command.by_hand if command.template.here else typed_at(command.by_hand, place)
    return PipedSource(name, -1, None, owned=False, running=running, by_hand=by_hand)


def ask(command: Command, declared: tuple[Template, ...], place: Place, target: str) -> Output:
    """One short question about a log, at its place; never raises for what the command does."""
    from locard.guard.policy import read_policy  # noqa: PLC0415 - as above
    from locard.transport.reach import kept_session  # noqa: PLC0415 - as above

    session = kept_session(place)
    gate = read_policy().reading_gate({"logs": declared}, target, session.identity.user, place)
    return session.run(gate.admit("logs", command), command.bound_s)
