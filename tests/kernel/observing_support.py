"""Observe a program for real, as `locard trace` does: through gate, session and the reader that travels.

    with observing(opens, target.pid, for_s=20.0) as seen:   # attached when the block begins
        target.stdin.write("go\n")                            # let it do what it counts
    trace = seen.trace                                        # ended with the target, or with the time

Tests wait for what is so, never for a while: the observation is attached when its reader catches SIGTERM.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from locard.guard.command import Impact
from locard.guard.gate import Gate
from locard.model.kernel_facts import NotObserved, SystemCalls, Trace
from locard.model.place import HERE
from locard.model.target import Context, Process, Target
from locard.transport.reach import open_session
from support import children_of, is_alive, wait_until

_CATCHES_TERM = 1 << (signal.SIGTERM - 1)


def context(*pids: int) -> Context:
    """The target: these processes, the root first."""
    processes = tuple(Process(p, 1, 0, 0.0, 0, "target", ("target",)) for p in pids)
    return Context(Target(f"pid/{pids[0]}", "pid", str(pids[0]), "here", processes), pause_s=0.2)


class Seen:
    """One observation: its outputs and facts when it is over."""

    def __init__(self):
        self.outputs = []
        self.facts = ()
        self.failed = None

    @property
    def fact(self):
        """The one fact; a test skips where the kernel does not take programs at all."""
        assert len(self.facts) == 1, (self.facts, self.outputs)
        return self.facts[0]

    @property
    def trace(self) -> Trace:
        """The one Trace."""
        skip_if_refused(self.fact)
        assert isinstance(self.fact, Trace)
        return self.fact

    @property
    def calls(self) -> SystemCalls:
        """The one SystemCalls."""
        skip_if_refused(self.fact)
        assert isinstance(self.fact, SystemCalls)
        return self.fact


def skip_if_refused(fact) -> None:
    """Skip where eBPF is not permitted here; any other refusal is a failure of the program."""
    if isinstance(fact, NotObserved):
        if "CAP_BPF" in fact.unlock or "BTF" in fact.unlock:
            pytest.skip(f"eBPF: {fact.problem}")
        pytest.fail(f"{fact.program}: {fact.problem}")


@contextlib.contextmanager
def observing(probe, *pids: int, for_s: float = 30.0, allow: Impact = Impact.SAMPLES, **asked):
    """Observe these processes through one probe while the block runs, and until they or the time end."""
    seen = Seen()
    gate = Gate({"probe": probe.COMMANDS}, allow, cap=Impact.INJECTS, why="")
    plan = probe.plan(context(*pids), probe.Params(for_s=for_s, **asked))
    session = open_session(HERE, lend_stdin=True).open()

    def run():
        try:
            step = next(plan)
            while True:
                output = session.run(gate.admit("probe", step), step.bound_s)
                seen.outputs.append(output)
                step = plan.send(output)
        except StopIteration:
            pass
        except BaseException as failed:  # noqa: BLE001 - told to the test, not to the thread
            seen.failed = failed

    with contextlib.closing(session):
        before = readers()
        thread = threading.Thread(target=run)
        thread.start()
        try:
            wait_until(lambda: not thread.is_alive() or readers() - before)
            yield seen
        finally:
            thread.join()
    if seen.failed is not None:
        raise seen.failed
    seen.facts = probe.read(seen.outputs)


def readers() -> set[int]:
    """The readers below this process that have attached all that they attach."""
    found, at = set(), [os.getpid()]
    while at:
        pid = at.pop()
        at += children_of(pid)
        if has_attached(pid):
            found.add(pid)
    return found


def has_attached(pid: int) -> bool:
    """Whether a process is a reader that has attached all that it attaches."""
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        links = [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]
        return bool(caught & _CATCHES_TERM) and any(to.startswith("anon_inode:bpf") for to in links)
    return False


def observe(probe, *pids: int, for_s: float, **asked):
    """Observe for so long; the facts."""
    with observing(probe, *pids, for_s=for_s, **asked) as seen:
        pass
    return seen.fact


class Workload:
    """A program of Python that says `ready`, waits for a line, works, prints its truth, and ends.

    `code` is its source. It is given `ready()`, which returns when it is told to go on.
    """

    _HEAD = (
        "import sys, json, os, socket, time, threading, struct, select\n"
        "def ready(*words):\n"
        "    print(*(words or ('ready',)), flush=True); sys.stdin.readline()\n"
        "def tell(**truth):\n"
        "    print(json.dumps(truth), flush=True)\n"
    )

    def __init__(self, code: str, *argv: object, prefix: tuple[str, ...] = ()):
        words = [sys.executable, "-c", self._HEAD + code, *map(str, argv)]
        self._process = subprocess.Popen(
            [*prefix, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        self.line = self._process.stdout.readline().strip()
        assert self.line, "the program ended before it was ready"

    def go(self) -> str:
        """Let it go on; the next line that it prints."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()

    def close(self) -> None:
        """End it, by its pid."""
        if is_alive(self.pid):
            self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


@contextlib.contextmanager
def working(code: str, *argv: object, prefix: tuple[str, ...] = ()):
    """A Workload that is ended with the block."""
    workload = Workload(code, *argv, prefix=prefix)
    try:
        yield workload
    finally:
        workload.close()


def in_new_network(*before: str) -> tuple[str, ...]:
    """The beginning of an argv that runs in network and mount namespaces of its own; skips without root.

    `lo` is up. `before`: shell lines to run there first, such as iptables rules.
    """
    if os.geteuid() != 0:
        pytest.skip("needs root: namespaces of its own")
    lines = ["ip link set lo up", *before, 'exec "$@"']
    return ("unshare", "-n", "-m", "sh", "-ec", "\n".join(lines), "sh")


def readers_in(space: str) -> set[int]:
    """The same in a pid namespace, whoever started them: `space` is what its /proc/PID/ns/pid leads to."""
    found = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str((entry / "ns/pid").readlink()) == space:
                found |= {int(entry.name)} if has_attached(int(entry.name)) else set()
    return found


class Asked:
    """One question put to locard as a user puts it; its document when the block is over."""

    def __init__(self):
        self.document = {}
        self.stderr = ""

    @property
    def facts(self):
        return [fact for e in self.document["evidence"] for fact in e["facts"]]

    @property
    def fact(self):
        """The one fact of the one probe."""
        (fact,) = self.facts
        return fact


@contextlib.contextmanager
def asking(
    *words: object, prefix: tuple[str, ...] = (), space: str = "", attaches: bool = True, **options
):
    """Run `locard WORDS -o json` while the block runs; it begins when all is attached, or locard has ended.

    `space`: where its reader runs, if that is no descendant of ours. `attaches` False: do not wait for it.
    """
    asked = Asked()
    argv = [*prefix, sys.executable, "-m", "locard", *map(str, words), "-o", "json"]
    look = (lambda: readers_in(space)) if space else readers
    before = look()
    child = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options,
    )  # fmt: skip
    try:
        wait_until(lambda: not attaches or child.poll() is not None or look() - before, 60.0)
        yield asked
    except BaseException:
        child.kill()
        raise
    finally:
        out, asked.stderr = child.communicate(timeout=120)
    assert out, asked.stderr
    asked.document = json.loads(out)


def run_to_end(*words: object, prefix: tuple[str, ...] = (), **options) -> Asked:
    """The same where nothing has to happen meanwhile."""
    with asking(*words, prefix=prefix, attaches=False, **options) as asked:
        pass
    return asked
