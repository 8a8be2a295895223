"""A session: the way to one place, over which many things run at once.

A transport is only how a python3 is started at the place; what it is given (`far/serve.py`) does the
work there, and frames go both ways over its standard streams. Nothing here blocks: `fds` says what
to wait for, `pump` moves what is there. One thread drives all sessions (ADR 0024).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import signal
import struct
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from locard.guard import sudo
from locard.guard.command import Impact
from locard.model.evidence import Identity, Output
from locard.model.place import Ground
from locard.transport import bootstrap
from locard.transport._child import become_mortal
from locard.transport.bare import BareChannel
from locard.transport.prepared import GET_PROGRAM, KEEP_STATE, Prepared, prepare, server_payload
from locard.transport.running import Running

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from locard.guard.command import Command
    from locard.guard.gate import Permit
    from locard.model.errors import LocardError
    from locard.model.place import Place

    class Explain(Protocol):
        """Says why a session did not open: what a transport's module holds."""

        def __call__(
            self,
            place: str,
            exit_code: int | None,
            stderr: bytes,
            noise: bytes,
            waited_s: float,
            *,
            problem: str = "",
        ) -> LocardError:
            """`problem` is the handshake's."""


_HEAD = struct.Struct(">4sII")
_MOST_FRAME = 4 << 20  # an answer's; the place sends chunks of 64 KiB
_CHUNK = 1 << 18
_MOST_SAID = 64 << 10
_BEAT_S = 5.0
_SILENT_S = 30.0  # without a word from a place that answers beats: the connection is gone
_CLOSING_S = 2.0
_OVERDUE_S = 10.0  # after its bound, a run that the place did not end
_LAST_TIME = 253402300800.0  # seconds since 1970 that a date can be made of
_ENDING_S = 0.5  # for a transport that has closed its output, to say why and end
_LOOK_S = 0.02  # between looks at whether it has
_TURNS = 16  # chunks read from one stream before others have their turn


class Session:
    """An open, opening or broken way to one place.

    `state` is opening, open or closed; where it is closed against our will `error` says why.
    """

    def __init__(
        self,
        place: Place,
        argv: Sequence[str],
        nonce: str,
        *,
        explain: Explain,
        environment: Mapping[str, str],
        opening_s: float = 15.0,
        lend_stdin: bool = False,
    ) -> None:
        """Starts the transport's process; nothing is waited for. Raises OSError."""
        self.place = place
        self.argv = tuple(argv)
        self.ground: Ground | None = None
        self.error: LocardError | None = None
        self.state = "opening"
        self._nonce = nonce
        self._bare: BareChannel | None = None
        self._patience_s = 60.0
        self._unanswered: float | None = None  # when the first beat was sent that has no answer
        self._opening = True  # the handshake is not over
        self._mark = hashlib.sha256((nonce + ":frame").encode()).digest()[:4]
        self._handshake = bootstrap.Handshake(nonce, server_payload())
        self._explain = explain
        self._began = self._heard = self._beaten = time.monotonic()
        self._opening_s = opening_s
        self._parts: set[str] = set()  # digests of what the other side has
        self._runs: dict[int, Running] = {}
        self._next = 0
        self._buffer = bytearray()
        self._queue = bytearray()
        self._said = bytearray()  # the transport's own words, on its standard error
        self._lent = os.dup(0) if lend_stdin else -1
        parent = os.getpid()
        # What serves here ends in order and undoes what was left; a client is no loss.
        number = signal.SIGTERM if place.local else signal.SIGKILL
        self._child = subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
            pass_fds=(self._lent,) if lend_stdin else (),
            # Children are started from the main thread only, between which and fork no lock is held.
            preexec_fn=lambda: become_mortal(parent, number),  # noqa: PLW1509
        )
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            os.set_blocking(pipe.fileno(), False)  # type: ignore[union-attr] # opened as pipes
        self._in, self._out, self._err = (
            pipe.fileno()  # type: ignore[union-attr] # as above
            for pipe in (self._child.stdin, self._child.stdout, self._child.stderr)
        )
        self._out_open = self._err_open = True
        self._ending: float | None = None  # until when its end is waited for
        self._look = float("inf")  # when that is looked at next
        self._send(self._handshake.first_bytes())

    # -- what a driver needs ---------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        """Where and as whom what runs here runs."""
        ground = self.ground
        if ground is None:
            return Identity(self.place.name, "unknown", -1)
        return Identity(ground.host, ground.user, ground.uid, ground.sudo_user)

    def identity_of(self, argv: Sequence[str]) -> Identity:
        """As whom an argv runs here: through sudo as root."""
        if not sudo.is_wrapped(tuple(argv)):
            return self.identity
        return replace(self.identity, user="root", uid=0, sudo_user=self.identity.user)

    def fds(self) -> list[tuple[int, int]]:
        """(descriptor, events of poll(2)) to wait for."""
        if self.state == "closed":
            return []
        found = []
        if self._out_open:
            found.append((self._out, select.POLLIN))
        if self._err_open:
            found.append((self._err, select.POLLIN))
        if self._queue:
            found.append((self._in, select.POLLOUT))
        return found

    @property
    def opening_s(self) -> float:
        """For how long it has been opening; 0 when it is not."""
        return time.monotonic() - self._began if self.state == "opening" else 0.0

    def due(self) -> float:
        """When `pump` wants to be called though nothing came, by the monotonic clock."""
        if self.state == "closed":
            return float("inf")
        if self.state == "opening":
            return min(self._look, self._began + self._opening_s)
        return min(self._look, self._beaten + _BEAT_S if self._bare is None else self._bare.due())

    def pump(self) -> list[Running]:
        """Move what is there; the runs that grew or ended. Never blocks, never raises."""
        if self.state == "closed":
            return []
        self._flush()
        self._hear()
        grown = self._frames() if self._handshake.state == "open" else {}
        now = time.monotonic()
        late = now - self._began > self._opening_s or self._handshake.state == "failed"
        if self.state == "opening" and late:
            grown |= self._break(None, now)
        elif self.state != "closed" and not self._out_open:
            if self._has_ended(now):
                grown |= self._break(self._child.returncode, now)
        elif self.state == "open":
            grown |= self._end_overdue(now)
            if self._unanswered is not None and now - self._unanswered > _SILENT_S:
                grown |= self._break(None, now)
            elif now - self._beaten >= _BEAT_S and self._bare is None:
                self._beat()
        if self._bare is not None:
            grown |= {run.number: run for run in self._bare.take_grown()}
        return list(grown.values())

    def _end_overdue(self, now: float) -> dict[int, Running]:
        """What should have been ended over there long ago: a far side that does not is not waited for."""
        if self._bare is not None:
            self._bare.end_overdue(now)
        found = {n: r for n, r in self._runs.items() if now - r.clock > r.bound_s + _OVERDUE_S}
        for number, run in found.items():
            self.stop(run, "overdue")
            why = f"stopped after its time bound of {run.bound_s:.1f} s, which was not held over there"
            run.end = {"code": None, "kind": "bound", "why": why, "took": now - run.clock}
            del self._runs[number]
        return found

    def prepare(self, command: Command) -> Prepared:
        """The exact argv at this place."""
        return prepare(command, self.ground, local=self.place.local)

    def start(
        self,
        permit: Permit,
        bound_s: float,
        *,
        keys: Iterable[tuple[int, int]] = (),
        merged: bool = False,
    ) -> Running:
        """Begin a permit here; it is sent by the next `wait`. `keys` are (pid, start ticks) of which one at least must still run."""
        command = permit.command
        prepared = self.prepare(command)
        self._next += 1
        run = Running(self, self._next, permit, prepared, bound_s)
        if self.state != "open" or prepared.missing:
            why = f"{prepared.missing} is not installed" if prepared.missing else self._why()
            run.end = {"code": None, "why": why, "missing": bool(prepared.missing), "took": 0.0}
            return run
        if self._bare is not None:
            self._bare.start(run)
            return run
        self._runs[run.number] = run
        head = {
            "do": "start", "run": run.number, "argv": prepared.argv, "bound": bound_s,
            "most": command.max_bytes, "merged": merged or command.template.merged, "keys": list(keys),
            "program": (command.program or GET_PROGRAM) if prepared.program is not None else "",
            "before": prepared.secret, "idle": _idle(command), "lend": self._lent if command.stdin else None,
            "undo": [
                {"what": u.what, "undo": u.undo, "gone": u.gone} for u in command.undo
            ],
            "cpu": command.template.most_cpu, "sudo": sudo.is_wrapped(prepared.argv),
            "state": command.argv[0] in KEEP_STATE, "ends": command.template.ends,
        }  # fmt: skip
        body = [prepared.program or b""]
        if prepared.parts:  # each is sent once a session
            new = [p for p in prepared.parts if p.digest not in self._parts]
            self._parts.update(p.digest for p in new)
            head["parts"] = [
                [p.name, p.digest, len(p.packed) if p in new else 0] for p in prepared.parts
            ]
            body += [p.packed for p in new]
        # Sent as soon as somebody waits: what is recorded of it is written before it runs.
        self._queue += self._framed(head, b"".join(body))
        return run

    def stop(self, run: Running, why: str, *, at_once: bool = False) -> None:
        """End a run over there; `at_once`: without waiting for what it could tell."""
        if self._bare is not None:
            self._bare.stop(run, why)
        elif self.state == "open" and not run.ended:
            self._send(self._framed({"do": "stop", "run": run.number, "why": why, "now": at_once}))

    def ask_patience(self, seconds: float) -> None:
        """The other side may hear nothing for so long: who uses it is busy with what it gave."""
        self._patience_s = seconds
        if self._bare is None:
            self._send(self._framed({"do": "patience", "s": seconds}))

    @property
    def stale(self) -> bool:
        """Whether it has ended, or was left alone for longer than the other side waits."""
        return self.state == "closed" or time.monotonic() - self._beaten > self._patience_s / 2

    @property
    def gone(self) -> bool:
        """Whether the transport's process has ended."""
        return self._child.poll() is not None

    def close(self) -> None:
        """End all that runs there and the transport itself; waits a moment for it."""
        self.shut()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_CLOSING_S)
        finally:  # who interrupts the wait leaves nothing running
            self._kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(_CLOSING_S)

    def run(self, permit: Permit, bound_s: float) -> Output:
        """Start it and wait for its end; for who does one thing at a time."""
        running = self.start(permit, bound_s)
        while not running.ended:
            wait([self], 60.0)
        return running.output()

    def open(self) -> Session:
        """Wait until it is open; raises the LocardError that says why it is not."""
        while self.state == "opening":
            wait([self], 1.0)
        if self.error is not None:
            self.close()
            raise self.error
        return self

    # -- bytes -----------------------------------------------------------------------------

    def _send(self, data: bytes) -> None:
        self._queue += data
        self._flush()

    def _framed(self, head: dict[str, Any], body: bytes = b"") -> bytes:
        data = json.dumps(head).encode()
        return _HEAD.pack(self._mark, len(data), len(body)) + data + body

    def _flush(self) -> None:
        try:
            while self._queue:
                size = os.write(self._in, memoryview(self._queue)[:_CHUNK])
                del self._queue[:size]
        except BlockingIOError:
            pass
        except OSError:  # it has ended; its output says why
            self._queue.clear()

    def _hear(self) -> None:
        """Read both streams as far as something stands in them."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_TURNS if self._err_open else 0):
                data = os.read(self._err, _CHUNK)
                if not data:
                    self._err_open = False
                    break
                self._take_said(data)
        with contextlib.suppress(BlockingIOError):
            for _ in range(_TURNS):
                data = os.read(self._out, _CHUNK) if self._out_open else b""
                if not data:
                    self._out_open = False
                    return
                self._heard = time.monotonic()
                self._unanswered = None
                self._take(data)

    def _take_said(self, data: bytes) -> None:
        """Standard error: the transport's own words, and over a bare session the commands'."""
        self._said += data
        del self._said[:-_MOST_SAID]
        self._handshake.feed_errors(data)
        if self._bare is not None:
            self._bare.feed("stderr", data)

    def _take(self, data: bytes) -> None:
        if self._bare is not None:
            self._bare.feed("stdout", data)
        elif not self._opening:
            self._buffer += data
        else:
            self._send(self._handshake.feed(data))
            self._opening = self._handshake.state == "waiting"
            if self._handshake.state == "open":
                self._buffer += self._handshake.rest
            elif self._handshake.state == "bare":
                self._open_bare()

    def _open_bare(self) -> None:
        """There is no python3: the sh of the bootstrap serves, one command after the other."""
        why, bounds, uid, user, host, pid = self._handshake.bare_words
        holds = bounds == "timeout"
        self._bare = BareChannel(self._nonce, self._queue.extend, why, holds_bounds=holds)
        self._bare.feed("stdout", self._handshake.rest)
        self.ground = Ground(
            host=host,
            user=user,
            uid=int(uid) if uid.isdigit() else -1,
            own=(int(pid),),
            noise_bytes=self._handshake.noise_bytes,
            lacks=why,
        )
        self.state = "open"

    def _frames(self) -> dict[int, Running]:
        grown: dict[int, Running] = {}
        while len(self._buffer) >= _HEAD.size:
            mark, size, rest = _HEAD.unpack_from(self._buffer)
            if mark != self._mark or size + rest > _MOST_FRAME:
                self._skip_noise()
                continue
            whole = _HEAD.size + size + rest
            if len(self._buffer) < whole:
                break
            try:
                head = json.loads(bytes(self._buffer[_HEAD.size : _HEAD.size + size]))
                body = bytes(self._buffer[_HEAD.size + size : whole])
                run = self._receive(head, body)
            except (
                ArithmeticError,
                AttributeError,
                LookupError,
                RecursionError,
                TypeError,
                ValueError,
            ):
                run = None  # it lies, or is broken: what is no answer is none
            del self._buffer[:whole]
            if run is not None:
                grown[run.number] = run
        return grown

    def _skip_noise(self) -> None:
        """Somebody else has written between the frames: go on at the next mark."""
        at = self._buffer.find(self._mark, 1)
        drop = at if at > 0 else max(1, len(self._buffer) - len(self._mark) + 1)
        del self._buffer[:drop]

    def _receive(self, head: dict[str, Any], body: bytes) -> Running | None:
        what = head["is"]
        if what == "ground" and self.ground is None:
            self.ground = self._ground(head)
            self.state = "open"
            self._beat()
            return None
        if what == "beat":
            self._set_clock(float(head["at"]), float(head["now"]))
            return None
        run = self._runs.get(head["run"])
        if run is None:
            return None
        if what == "chunk":
            command, of = run.permit.command, "stdout" if head["of"] == "stdout" else "stderr"
            most = command.max_bytes if of == "stdout" else _MOST_SAID
            if command.template.streams:  # taken as it comes
                (run.out if of == "stdout" else run.err).extend(body)
            else:  # an honest place sends no more than it was told
                run.keep(of, body, most)
        elif what == "cost":
            run.cost_s = _seconds(head.get("cpu"), 1e6)
        elif what == "ended":
            code = head.get("code")
            run.end = {
                "code": code if isinstance(code, int) else None,
                "why": str(head.get("why") or "")[:500],
                "kind": head.get("kind"),
                "missing": bool(head.get("missing")),
                "left": head.get("left") if isinstance(head.get("left"), list) else [],
                "took": _seconds(head.get("took"), time.monotonic() - run.clock + 1.0),
            }
            del self._runs[run.number]
        return run

    def _ground(self, head: dict[str, Any]) -> Ground:
        tools = head.get("tools")
        return Ground(
            host=str(head["host"])[:255],
            user=str(head["user"])[:255],
            uid=int(head["uid"]),
            sudo_user=str(head["sudo_user"])[:255] if head.get("sudo_user") else None,
            machine=str(head.get("machine", ""))[:64],
            kernel=str(head.get("kernel", ""))[:255],
            python=str(head.get("python", ""))[:32],
            executable=str(head.get("executable", ""))[:4096],
            ticks_per_s=max(1, min(int(head.get("ticks") or 100), 1_000_000)),
            capabilities=str(head.get("capabilities", ""))[:32],
            tools=tuple((str(k), str(v)) for k, v in tools.items()) if tools else (),
            own=tuple(int(p) for p in head.get("own") or ())[:64],
            noise_bytes=self._handshake.noise_bytes,
            program_digest=hashlib.sha256(server_payload()).hexdigest(),
        )

    def _beat(self) -> None:
        self._beaten = time.monotonic()
        if self._unanswered is None:
            self._unanswered = self._beaten
        self._send(self._framed({"do": "beat", "at": time.time()}))

    def _set_clock(self, asked: float, there: float) -> None:
        now = time.time()
        within = (now - asked) / 2
        if self.ground is None or not 0 <= within < _SILENT_S or not 0 < there < _LAST_TIME:
            return
        known = self.ground.clock_within_s
        if known is None or within < known:
            ahead = there - (asked + now) / 2
            self.ground = replace(
                self.ground, clock_ahead_s=round(ahead, 4), clock_within_s=round(within, 4)
            )

    # -- ends ------------------------------------------------------------------------------

    def _why(self) -> str:
        return self.error.why if self.error is not None else f"{self.place.ref} is not open"

    def _has_ended(self, now: float) -> bool:
        """Whether it is over, once it has closed its output; what it says at its end is heard."""
        if self._ending is None:
            self._ending = now + _ENDING_S
        if self._child.poll() is None and now < self._ending:
            self._look = now + _LOOK_S
            return False
        self._hear()
        return True

    def _break(self, code: int | None, now: float) -> dict[int, Running]:
        """It did not open, or it broke: what ran keeps what came, and says so."""
        was = self.state
        self._handshake.closed()
        said, noise = bytes(self._said), bytes(self._handshake.noise)
        if was == "opening":
            waited_s, problem = now - self._began, self._handshake.problem
            self.error = self._explain(self.place.ref, code, said, noise, waited_s, problem=problem)
        else:
            waited_s = now - self._heard
            self.error = self._explain(self.place.ref, code, said, b"", waited_s, problem="lost")
        broken, self._runs = self._runs, {}
        if self._bare is not None:
            broken |= {run.number: run for run in self._bare.waiting}
        for run in broken.values():
            run.end = {"code": None, "why": f"{self.error.what}: {self.error.why}",
                       "kind": "lost", "took": run.ran_s}  # fmt: skip
        self.shut()
        self._kill()  # reaped by `close`
        return broken

    def shut(self) -> None:
        """Close our ends: the other side ends and undoes everything."""
        self.state = "closed"
        if self._lent >= 0:
            os.close(self._lent)
            self._lent = -1
        if self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.close()

    def _kill(self) -> None:
        if self._child.returncode is None and self._child.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe is not None:
                pipe.close()


def wait(sessions: Iterable[Session], timeout_s: float) -> list[Running]:
    """Wait until some session has something, at most so long; the runs that grew or ended."""
    every = list(sessions)
    poll = select.poll()
    owners: dict[int, Session] = {}
    due = time.monotonic() + timeout_s
    for session in every:
        due = min(due, session.due())
        for fd, events in session.fds():
            poll.register(fd, events)
            owners[fd] = session
    left = max(0.0, due - time.monotonic())
    ready = {id(owners[fd]): owners[fd] for fd, _ in poll.poll(int(left * 1000) + 1)}
    now = time.monotonic()
    for session in every:
        if id(session) in ready or session.due() <= now:
            ready[id(session)] = session
    return [run for session in ready.values() for run in session.pump()]


def close_all(sessions: Sequence[Session]) -> None:
    """Close many at once: each is told first, then waited for."""
    with contextlib.ExitStack() as stack:
        for session in sessions:
            session.shut()
            stack.callback(session.close)


def _idle(command: Command) -> bool | None:
    """Whether it is idle, a little nice, or (None) neither: what stops the target is waited for by it."""
    return None if command.impact >= Impact.PAUSES else not command.template.prompt


def _seconds(given: Any, most: float) -> float:
    """A duration as the place says it: finite, not negative, no longer than it can have been."""
    value = float(given or 0.0)
    return max(0.0, min(most, value)) if value == value else 0.0  # noqa: PLR0124 - NaN is not
