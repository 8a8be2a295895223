"""One command at a place, from its start to its end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from locard.model.evidence import Output
from locard.model.foreign_json import parsed

if TYPE_CHECKING:
    from locard.guard.gate import Permit
    from locard.transport.prepared import Prepared
    from locard.transport.session import Session


@dataclass(slots=True)
class Running:
    """One command at a place, from its start to its end."""

    session: Session
    number: int
    permit: Permit
    prepared: Prepared
    bound_s: float
    began: float = field(default_factory=time.time)
    out: bytearray = field(default_factory=bytearray)
    err: bytearray = field(default_factory=bytearray)
    end: dict[str, Any] | None = None
    clock: float = field(default_factory=time.monotonic)  # when it began; inf: it waits its turn
    cut: bool = False  # its output was longer than was allowed, and the rest was left out here
    stopped_at: float = float("inf")  # when its place was asked to end it
    cost_s: float | None = None  # CPU seconds so far, where the place measures them

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.end is not None

    @property
    def waits(self) -> bool:
        """Whether it has not begun, since another one is at work before it."""
        return self.clock == float("inf")

    @property
    def ran_s(self) -> float:
        """For how long it has been at work; 0 while it waits its turn."""
        return max(0.0, time.monotonic() - self.clock)

    @property
    def missing(self) -> bool:
        """Whether its program is not installed there."""
        return bool(self.end and self.end.get("missing"))

    @property
    def left(self) -> tuple[str, ...]:
        """What it left at the place although its undoing was tried, in words."""
        return tuple(map(str, (self.end or {}).get("left") or ()))

    def keep(self, stream: str, data: bytes, most: int) -> None:
        """Take more of a stream, at most `most` bytes of it in all; the rest is left out."""
        into = self.out if stream == "stdout" else self.err
        room = max(0, most - len(into))
        into += data[:room]
        self.cut |= stream == "stdout" and len(data) > room

    def take(self, most: int = 1 << 30) -> bytes:
        """What has come on standard output since the last call, at most so much; it is not kept."""
        data = bytes(memoryview(self.out)[:most])
        del self.out[: len(data)]
        return data

    @property
    def tells(self) -> bool:
        """Whether it is asked to end, and then tells what it has counted."""
        return self.permit.command.template.ends != "killed"

    def stop(self, why: str, *, at_once: bool = False) -> None:
        """Ask the place once to end it; its end is reported as any other. `at_once`: and not to wait for its words."""
        if self.stopped_at == float("inf") or at_once:
            self.stopped_at = min(self.stopped_at, time.monotonic())
            self.session.stop(self, why, at_once=at_once)

    def output(self) -> Output:
        """All that has come so far; `problem` says why there is no more."""
        end = self.end or {"code": None, "why": "still runs", "took": self.ran_s}
        why = str(end.get("why", ""))
        if self.cut and not why:
            why = f"cut after {self.permit.command.max_bytes} bytes of output"
        output = Output(
            self.prepared.argv,
            bytes(self.out),
            bytes(self.err),
            exit_code=end.get("code"),
            timed_out=end.get("kind") == "bound",
            truncated=end.get("kind") == "output" or self.cut,
            started=self.began,
            duration_s=float(end.get("took", 0.0)),
            problem=why,
        )
        return _with_http_status(output) if self.permit.command.via == "http" else output


def _with_http_status(output: Output) -> Output:
    """Move what the GET program said on standard error into the output's own fields."""
    try:
        said = parsed(output.stderr.decode().splitlines()[-1])
    except (ValueError, IndexError):
        return output
    if not isinstance(said, dict) or ("status" not in said and "problem" not in said):
        return output
    if "problem" in said:
        return replace(output, problem=f"no answer: {said['problem']}")
    return replace(
        output, http_status=said["status"], truncated=output.truncated or bool(said["truncated"])
    )
