"""Serves beside the target: starts what it is told, sends back what comes, and leaves nothing behind.

It is given to a python3 at the place over standard input, runs from memory and imports nothing of
locard: standard library only, Python 3.6 or later. It does what the operator's side asks for, and
holds every promise by itself when that side is gone: each run has its bound in time and output,
idle priority, a process group of its own and the parent's mortality; when standard input ends, or
nothing was heard for `SILENCE_S`, all runs are ended, what they left is undone, and it exits.

Frames, both ways: 4 bytes of mark (from the nonce), two lengths (4 bytes each), a JSON head, a body.
  asked:    start {run, argv, program, before, bound, most, merged, lend, keys, undo, cpu, idle, sudo, state, ends,
            parts [name, digest, bytes: 0 where it was sent before]} + source + parts · stop {run, why, now} · patience {s} · beat {at}
  answered: ground {...} once · cost {run, cpu} · chunk {run, of} + bytes · beat {at, now}
            ended {run, code, why, kind, missing, took, left}, `left` for residue whose undoing failed
"""

import errno
import hashlib
import json
import os
import select
import signal
import struct
import time
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.far.children import (
        Head,
        Run,
        find,
        fork,
        ground,
        group_cpu_s,
        libc,
        memory_file,
        start_ticks,
        undo,
    )

    NONCE: str
    TOOLS: Sequence[str]

HEAD = struct.Struct(">4sII")
MOST_FRAME = 64 << 20
CHUNK = 1 << 16
MOST_QUEUED = 4 << 20  # bytes that wait for the operator's side: then no child is read on
SILENCE_S = 60.0  # after which nobody is believed to listen, unless more patience was asked for
MOST_SILENCE_S = 600.0
REAPING_S = 2.0
DRAINING_S = 0.5  # for what a child that has ended left in its pipes
ENDING_S = 6.0  # for one that was interrupted to let go of its target and to tell what it has
ANSWERS_S = 5.0  # for a reader of ours, which runs when nobody else wants the CPU, to begin to tell
BOUND = "stopped after its time bound of %.1f s"
COST_EVERY_S = 1.0
COST_SETTLES_S = 3.0  # before the share of a core that a run takes is judged


class Server:
    """The loop: one thread, one poll."""

    def __init__(self, infd: int, outfd: int, nonce: str, tools: "Sequence[str]") -> None:
        """Two descriptors for frames, the nonce of the session, the programs to look for."""
        self.infd, self.outfd = infd, outfd
        self.mark = hashlib.sha256((nonce + ":frame").encode()).digest()[:4]
        self.tools = tools
        self.buffer = bytearray()
        self.queue = bytearray()
        self.runs = {}  # type: dict[int, Run]
        self.parts = {}  # type: dict[str, int] # digest -> a file in memory
        self.open = True
        self.silence_s = SILENCE_S
        self.heard = time.monotonic()
        self.libc = libc()
        self.wake, wake = os.pipe()
        for fd in (infd, outfd, self.wake, wake):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, self.end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    # -- frames ------------------------------------------------------------------------------

    def send(self, head: "Head", body: bytes = b"") -> None:
        """Queue a frame; what cannot be written now waits."""
        data = json.dumps(head).encode()
        self.queue += HEAD.pack(self.mark, len(data), len(body)) + data + body
        self.flush()

    def flush(self) -> None:
        """Write what the pipe takes."""
        try:
            while self.queue:
                size = os.write(self.outfd, memoryview(self.queue)[:CHUNK])
                del self.queue[:size]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads any more
            del self.queue[:]
            self.end()

    def receive(self) -> None:
        """Read what was asked; its end is the end of everything."""
        try:
            data = os.read(self.infd, 1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end()
            return
        self.heard = time.monotonic()
        self.buffer += data
        while len(self.buffer) >= HEAD.size:
            mark, size, rest = HEAD.unpack_from(self.buffer)
            if mark != self.mark or size + rest > MOST_FRAME:
                self.end()  # this is not who we were started by
                return
            whole = HEAD.size + size + rest
            if len(self.buffer) < whole:
                return
            head = json.loads(bytes(self.buffer[HEAD.size : HEAD.size + size]).decode())
            body = bytes(self.buffer[HEAD.size + size : whole])
            del self.buffer[:whole]
            self.obey(head, body)

    def obey(self, head: "Head", body: bytes) -> None:
        """One frame."""
        do = head.get("do")
        if do == "start":
            self.start(head, body)
        elif do == "stop" and head.get("run") in self.runs:
            run = self.runs[head["run"]]
            self.stop(run, str(head.get("why", "")), "stop", at_once=bool(head.get("now")))
        elif do == "patience":
            self.silence_s = min(float(head.get("s", SILENCE_S)), MOST_SILENCE_S)
        elif do == "beat":
            self.send({"is": "beat", "at": head.get("at"), "now": time.time()})

    def end(self, *_: object) -> None:
        """Nobody listens: stop reading orders; the loop ends the runs."""
        self.open = False

    # -- children ----------------------------------------------------------------------------

    def start(self, asked: "Head", source: bytes) -> None:
        """Begin a run, or say why it did not."""
        run = Run(asked["run"], asked)
        gone = [pid for pid, ticks in asked.get("keys") or () if start_ticks(pid) != ticks]
        if gone and len(gone) == len(asked["keys"]):
            words = ", ".join(str(pid) for pid in gone)
            self.refuse(run, "process %s has ended" % words)
            return
        try:
            source = self.take_parts(run, source)
        except OSError as error:
            self.refuse(run, "did not start: %s" % error)
            return
        argv = [str(word) for word in asked["argv"]]
        if not asked.get("program") or asked.get("sudo"):
            path = find(argv[0])
            if path is None:
                self.refuse(run, "%s is not installed" % argv[0], missing=True)
                return
            argv[0] = path
        try:
            fork(run, argv, source, self.libc)
        except OSError as error:
            self.refuse(run, "did not start: %s" % error)
            return
        self.runs[run.number] = run

    def take_parts(self, run: "Run", body: bytes) -> bytes:
        """Keep the parts that came behind the source, for this run and later ones; the source."""
        parts = run.asked.get("parts") or ()
        at = len(body) - sum(size for _, _, size in parts)
        source = body[:at]
        for name, digest, size in parts:
            if size:
                self.parts[digest] = memory_file(zlib.decompress(body[at : at + size]), self.libc)
                at += size
            run.parts[name] = self.parts[digest]
        return source

    def refuse(self, run: "Run", why: str, *, missing: bool = False) -> None:
        """It did not begin."""
        self.send({"is": "ended", "run": run.number, "code": None, "why": why, "kind": "refused",
                   "missing": missing, "took": 0.0})  # fmt: skip

    def stop(self, run: "Run", why: str, kind: str, at_once: bool = False) -> None:
        """End it and all that it started; `at_once`: without waiting for what it could tell."""
        if not run.why:
            run.why, run.kind = why, kind
        ends = run.asked.get("ends", "killed")
        if ends != "killed" and not (at_once and ends == "interrupted"):
            if not run.interrupted:
                self.interrupt(run)
            if time.monotonic() < run.until:
                return
        try:
            os.killpg(run.pid, signal.SIGKILL)
        except OSError:
            pass
        run.until = float("inf")
        run.ended_at = run.ended_at or time.monotonic() + REAPING_S

    def interrupt(self, run: "Run") -> None:
        """Ask it to end by itself."""
        run.interrupted = True
        now = time.monotonic()
        run.told_by = now + ENDING_S
        run.until = now + ANSWERS_S if run.asked.get("program") else run.told_by
        try:
            os.kill(run.pid, signal.SIGINT)
        except PermissionError:
            run.until = now
            words = "it runs as root and cannot be asked to tell what it has counted"
            run.why = "%s: %s" % (run.why, words) if run.why else words
            run.kind = run.kind or "bound"
        except OSError:
            pass

    def read(self, run: "Run", fd: int) -> None:
        """One piece of a child's output."""
        name = run.pipes[fd]
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            os.close(fd)
            del run.pipes[fd]
            return
        if run.interrupted and run.until < run.told_by:
            run.until = run.told_by  # it answers
        room = run.left[name]
        run.left[name] = room - len(data)
        if room > 0:
            self.send({"is": "chunk", "run": run.number, "of": name}, data[:room])
        if name == "stdout" and len(data) > room and not run.why:
            self.stop(run, "stopped after %d bytes of output" % run.asked["most"], "output")

    def look_after(self, run: "Run", now: float) -> None:
        """Bounds, costs and the end of one run."""
        if now >= run.until and run.asked.get("ends", "killed") != "killed" and not run.interrupted:
            self.interrupt(run)
        elif now >= run.until:
            self.stop(run, BOUND % run.asked["bound"], "bound")
        limit = run.asked.get("cpu")
        if limit and not run.why and now - run.costed_at >= COST_EVERY_S:
            run.costed_at = now
            cpu_s = group_cpu_s(run.pid)
            self.send({"is": "cost", "run": run.number, "cpu": cpu_s})
            age = now - run.began
            if age >= COST_SETTLES_S and cpu_s / age > limit:
                words = "stopped: it took %.0f %% of a core, allowed are %.0f %%"
                self.stop(run, words % (100 * cpu_s / age, 100 * limit), "cost")
        if run.code is None:
            try:
                # Until it is reaped its number, and so its group's, is its own.
                if os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                    run.code = 0
                    run.ended_at = now + DRAINING_S
            except ChildProcessError:
                run.code, run.ended_at = 0, now
        if (run.code is not None and not run.pipes) or (
            run.ended_at is not None and now >= run.ended_at
        ):
            self.ended(run)

    def ended(self, run: "Run") -> None:
        """Say how it ended; what its group still does ends with it."""
        try:
            os.killpg(run.pid, signal.SIGKILL)
        except OSError:
            pass
        code = None
        try:
            pid, status = os.waitpid(run.pid, os.WNOHANG)
            if pid:
                code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        except ChildProcessError:
            pass
        if code == -signal.SIGINT and run.interrupted and run.asked.get("program") and not run.why:
            run.why, run.kind = BOUND % run.asked["bound"], "bound"  # it had not begun
        for fd in list(run.pipes):
            self.read_rest(run, fd)
        del self.runs[run.number]
        left = undo(run.asked)
        self.send({
            "is": "ended", "run": run.number, "code": None if run.why else code, "why": run.why,
            "kind": run.kind, "took": time.monotonic() - run.began, "left": left,
        })  # fmt: skip

    def read_rest(self, run: "Run", fd: int) -> None:
        """What stands in a pipe that is not read on."""
        for _ in range(64):
            if fd not in run.pipes:
                return
            before = run.left[run.pipes[fd]]
            self.read(run, fd)
            if fd in run.pipes and run.left[run.pipes[fd]] == before:
                break
        if fd in run.pipes:
            os.close(fd)
            del run.pipes[fd]

    # -- the loop ----------------------------------------------------------------------------

    def serve(self) -> None:
        """Until standard input ends and every run with it."""
        self.send(ground(self.tools))
        while self.open or self.runs:
            now = time.monotonic()
            if self.open and now - self.heard > self.silence_s:
                self.end()
            if not self.open:
                for run in list(self.runs.values()):
                    self.stop(run, "nobody listens", "stop")
            self.poll(now)
            now = time.monotonic()
            for run in list(self.runs.values()):
                self.look_after(run, now)

    def poll(self, now: float) -> None:
        """Wait for the next thing and move it."""
        poll = select.poll()
        poll.register(self.wake, select.POLLIN)
        if self.open:
            poll.register(self.infd, select.POLLIN)
        if self.queue:
            poll.register(self.outfd, select.POLLOUT)
        owners = {fd: run for run in self.runs.values() for fd in run.pipes}
        if len(self.queue) >= MOST_QUEUED:
            owners.clear()
        for fd in owners:
            poll.register(fd, select.POLLIN)
        wait_ms = max(0, int(1000 * (self.due(now) - now)) + 1)
        for fd, _ in poll.poll(wait_ms):
            if fd in owners:
                if fd in owners[fd].pipes:
                    self.read(owners[fd], fd)
            elif fd == self.infd:
                self.receive()
            elif fd == self.outfd:
                self.flush()
            else:
                self.drain_wake()

    def due(self, now: float) -> float:
        """When the next bound, cost or end has to be looked at."""
        due = [now + 5.0]
        for run in self.runs.values():
            due.append(run.until)
            if run.ended_at is not None:
                due.append(run.ended_at)
            if run.asked.get("cpu"):
                due.append(run.costed_at + COST_EVERY_S)
        return min(due)

    def drain_wake(self) -> None:
        """A signal has come: its byte is taken, the loop looks at the children anyway."""
        try:
            os.read(self.wake, 512)
        except BlockingIOError:
            return


def main(nonce: str, tools: "Sequence[str]") -> None:
    """Serve on what were standard input and output; nothing else can write into the frames then."""
    infd, outfd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    try:
        Server(infd, outfd, nonce, tools).serve()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise
    os._exit(0)


if __name__ == "locard_far":
    main(NONCE, TOOLS)
