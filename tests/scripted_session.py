"""A session that answers from a script: dialogues of plans are tested without any process."""

from __future__ import annotations

import time
from collections import deque

from locard.model.evidence import Identity
from locard.model.place import Ground, Place
from locard.transport.prepared import Prepared
from locard.transport.running import Running


class Scripted:
    """Answers each command by the first word of its argv: text, or a list of pieces as a stream.

    A piece that is None never ends the run: it goes on until it is stopped. A number is its cost so far.
    """

    def __init__(self, answers, ref="host/scripted", state="open"):
        self.place = Place(ref, "ssh")
        self.ground = Ground(host="scripted", user="nobody", uid=65534, python="3.11.0")
        self.identity = Identity("scripted", "nobody", 65534)
        self.state = state
        self.error = None
        self.asked = []
        self.stopped = []
        self._answers = answers
        self._live = deque()
        self._number = 0

    def identity_of(self, _argv):
        return self.identity

    def prepare(self, command):
        return Prepared(command.argv)

    def start(self, permit, bound_s, *, keys=(), merged=False):
        self._number += 1
        run = Running(self, self._number, permit, Prepared(permit.command.argv), bound_s)
        self.asked.append((permit.command.argv, bound_s, tuple(keys)))
        answer = self._answers[permit.command.argv[0]]
        pieces = deque(answer if isinstance(answer, list) else [answer, b""])
        self._live.append((run, pieces))
        return run

    def stop(self, run, why, *, at_once=False):
        self.stopped.append(why)
        self._live = deque((r, p) for r, p in self._live if r is not run)
        run.end = {"code": None, "why": why, "kind": "stop", "took": 0.1}
        self._ended = getattr(self, "_ended", [])
        self._ended.append(run)

    def fds(self):
        return []

    def due(self):
        return 0.0 if self._live or getattr(self, "_ended", []) else float("inf")

    def pump(self):
        """One piece of the run that is longest at work."""
        ended, self._ended = getattr(self, "_ended", []), []
        if ended:
            return ended
        if not self._live:
            return []
        run, pieces = self._live.popleft()
        if pieces and pieces[0] is None:
            time.sleep(0.001)
            self._live.append((run, pieces))
            return []
        if pieces and isinstance(pieces[0], float):  # what it has cost so far
            run.cost_s = pieces.popleft()
            self._live.append((run, pieces))
        elif pieces and (piece := pieces.popleft()):
            run.out += piece
            self._live.append((run, pieces))
        else:
            run.end = {"code": 0, "why": "", "took": 0.01}
        return [run]
