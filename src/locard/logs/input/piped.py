"""A log that a command prints: through the gate and the transport, read as it comes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.logs.input.log_source import Source
from locard.model.errors import SourceUnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.guard.command import Command, Template
    from locard.transport.stream import Stream


@dataclass(slots=True)
class PipedSource(Source):
    """The standard output of a child; a child that fails without a word of log is an error."""

    running: Stream | None = None
    by_hand: str = ""
    why_empty: Callable[[], str] | None = None  # asks the source why there is nothing, in words

    def close(self) -> None:
        """End the child."""
        if self.running is not None:
            self.running.close()

    def _idle(self) -> None:
        super(PipedSource, self)._idle()
        if self.running is not None:
            self.running.drain()

    def _read(self, want: int, deadline: float) -> bytes:
        data = super(PipedSource, self)._read(want, deadline)
        running = self.running
        if running is None:
            return data
        running.drain()
        if data or self.partial:
            return data
        code = running.exit_code()
        if code:
            said = running.complaint()[:300] or f"its exit code is {code}"
            if self.bytes_read == 0:
                raise SourceUnreadableError(
                    f"cannot read the log of {self.name}",
                    said,
                    "Try it by hand:",
                    command=self.by_hand,
                )
            self.partial = f"its command failed: {said}"
        elif code == 0 and self.bytes_read == 0 and self.why_empty is not None:
            why = self.why_empty()
            if why:
                raise SourceUnreadableError(
                    f"no log records in {self.name}",
                    why.rstrip("."),
                    "Look where the service writes its log, and name that file.",
                )
        return data


def open_command(
    name: str, command: Command, declared: tuple[Template, ...], *, get: str, merged: bool = False
) -> PipedSource:
    """Start a declared command that prints a log; `get` says what to do where it is missing.

    Raises SourceUnreadableError.
    """
    from locard.guard.command import Impact  # noqa: PLC0415 - a log that is a file needs none of it
    from locard.guard.gate import Gate  # noqa: PLC0415 - as above
    from locard.transport import stream  # noqa: PLC0415 - as above

    gate = Gate({"logs": declared}, Impact.READS, cap=Impact.READS, why="reading logs reads")
    try:
        running = stream.start(gate.admit("logs", command), merged=merged)
    except OSError as error:
        raise SourceUnreadableError(
            f"cannot read the log of {name}", f"{command.argv[0]} did not start: {error}", get
        ) from error
    if running is None:
        raise SourceUnreadableError(
            f"cannot read the log of {name}",
            f"{command.argv[0]} is not installed here",
            get[0].upper() + get[1:] + ".",
        )
    os.set_blocking(running.fd, False)
    return PipedSource(
        name, running.fd, None, owned=False, running=running, by_hand=command.by_hand
    )
