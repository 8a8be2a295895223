"""Short real runs of every scenario, played once per session and looked at by many tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from locard import catalogue
from locard.lab import processes, records
from locard.lab.play import Casting, draw
from locard.lab.scene import Scene, Variant
from locard.lab.stage import Stage

HEALTHY_S, DEGRADED_S = 10.0, 11.0

NAMES = [e.name for e in catalogue.entries("scenario")]
AT_ONCE = 4  # their loads are light, and the suite is to be quick
# With this seed the victims of upstream-slow make 2.6 requests/s, and its calls wait in recv.
SEED = 9


@dataclass
class Watched:
    """What could be seen of one run while it lasted, and what its clients saw."""

    scene: Scene
    began: float = 0.0
    onset: float = 0.0
    ended: float = 0.0
    root: Path = Path()
    pids: tuple[int, ...] = ()
    sessions: set[int] = field(default_factory=set)
    cmdlines: list[str] = field(default_factory=list)
    environments: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    log: str = ""
    metrics: str = ""
    dumps: list[list[str]] = field(default_factory=list)  # rounds of one dump per worker
    receiving_from: set[str] = field(default_factory=set)
    requests: tuple[records.Request, ...] = ()
    answer: dict = field(default_factory=dict)  # of `locard logs` on the log alone

    @property
    def rules(self):
        """What `locard logs` finds, what tells most first, but for "it got worse"."""
        found = [f["rule"] for f in self.answer["findings"]]
        return [rule for rule in found if rule != "service-degraded"]

    def before(self, where=lambda _: True):
        return records.seen(self.requests, self.began, self.onset, where)

    def after(self, where=lambda _: True):
        return records.seen(self.requests, self.onset, self.ended, where)


@pytest.fixture(scope="session")
def faulty():
    """The fault of every scenario, by name."""
    return _Plays(Variant.FAULT)


@pytest.fixture(scope="session")
def near_misses():
    """The near miss of every scenario, by name."""
    return _Plays(Variant.NEAR_MISS)


@pytest.fixture(scope="session")
def healthy():
    """The service of every scenario that the log alone gives away, where nothing happens."""
    return _Plays(Variant.HEALTHY, [n for n in NAMES if draw(Casting(n, SEED)).truth.in_log])


class _Plays(dict):
    """Runs by scenario, a batch of them played together when one is first asked for: no test waits for all."""

    def __init__(self, variant, names=NAMES):
        super().__init__()
        self._variant, self._names = variant, names

    def __missing__(self, name):
        first = self._names.index(name) // AT_ONCE * AT_ONCE
        self.update(_play_together(self._names[first : first + AT_ONCE], self._variant))
        return self[name]


def _play_together(names, variant):
    seen = {name: Watched(draw(Casting(name, SEED))) for name in names}
    with ExitStack() as stack:
        stages = {
            name: stack.enter_context(Stage(w.scene.service, w.scene.load, 1))
            for name, w in seen.items()
        }
        actions = {name: w.scene.actions(variant) for name, w in seen.items()}
        for name, stage in stages.items():
            for action in actions[name][0]:
                action.apply(stage)
            stage.start_traffic()
            seen[name].began = time.time()
        next(iter(stages.values())).wait(HEALTHY_S)
        for name, stage in stages.items():
            seen[name].onset = time.time()
            for action in actions[name][1]:
                action.apply(stage)
        next(iter(stages.values())).wait(DEGRADED_S - 4)
        until = time.time() + 4
        while time.time() < until and variant is not Variant.HEALTHY:
            for name, stage in stages.items():
                _sample(seen[name], stage)
        for name, stage in stages.items():
            _look(seen[name], stage)
            seen[name].ended = time.time()
            stage.stop_traffic()
            # At once: a log that ended a while ago is a silent one.
            seen[name].answer = _ask(stage.log)
            seen[name].requests = records.read(stage.records)
    return seen


def _ask(log):
    argv = [sys.executable, "-m", "locard", "logs", log, "--no-keep", "-o", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    answer = json.loads(done.stdout)
    alarming = any(f["severity"] != "info" for f in answer["findings"])
    said = {item["claim"]["kind"] for item in answer["claims"]}
    if alarming or answer["log_summary"]["changed"]:
        assert done.returncode == 1
    elif "log_steady" in said:
        assert done.returncode == 0
    return answer


def _sample(watched, stage):
    workers = processes.family(stage.master)[1:]
    watched.dumps.append([_dump(pid) for pid in workers])
    for pid in workers:
        watched.receiving_from |= _receiving_from(pid)


def _dump(pid):
    spy = Path(sys.executable).with_name("py-spy")
    done = subprocess.run(
        [spy, "dump", "--nonblocking", "--pid", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def _receiving_from(pid):
    """The far ends (host:port) of the TCP sockets on which threads wait in recvfrom (x86_64)."""
    peers = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        peers[words[9]] = f"127.0.0.1:{int(words[2].split(':')[1], 16)}"
    found = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            words = (task / "syscall").read_text().split()
            if words[0] == "45":
                link = str(Path(f"/proc/{pid}/fd/{int(words[1], 16)}").readlink())
                found.add(peers.get(link.removeprefix("socket:[").rstrip("]"), ""))
        except OSError:
            continue
    return found - {""}


def _look(watched, stage):
    watched.root, watched.pids = stage.root, stage.pids
    watched.sessions = {os.getsid(pid) for pid in stage.pids}
    for pid in stage.pids:
        for name, into in (("cmdline", watched.cmdlines), ("environ", watched.environments)):
            into.append(Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b" ").decode())
    watched.paths = [str(path) for path in stage.root.rglob("*")]
    watched.log = stage.log.read_text()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(stage.metrics_url, timeout=10) as answer:
        watched.metrics = answer.read().decode()
