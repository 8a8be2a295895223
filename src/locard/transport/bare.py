"""A session without python3: the sh of the bootstrap starts one command after the other.

The words of a command are lines that `read` takes as data: no shell interprets any of them. What
ends a command is a line with a mark, in both streams. Pure: the session moves the bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from locard.model.errors import NotPermittedError
from locard.transport.bootstrap import bare_mark

_KEPT = 64  # bytes: the longest ending line


def ask(argv: tuple[str, ...], bound_s: float) -> bytes:
    """What to write to run a command there; raises where it cannot be said in lines.

    `env` starts it: the first word may neither set a variable nor be an option. The bound is whole
    seconds, at least one, and is held there only if `Handshake.bare_words[1]` is "timeout".
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
    lines = (str(len(argv)), str(max(1, round(bound_s))), *argv)
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
