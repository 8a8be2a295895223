"""Logs of requests as a function makes them, with the state that is judged of them and its sentence."""

from __future__ import annotations

import json
import random
import time

import planted_logs as planted

from locard.model.log_sentences import sentence
from locard.model.log_state import judge


def iso(at):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"


def request(rng, *, bad=False, ms=30.0, **more):
    return {
        "level": "error" if bad else "info", "msg": "served", "path": rng.choice(["/a", "/b"]),
        "status": 503 if bad else 200, "duration_ms": round(abs(rng.gauss(ms, ms / 5)), 1), **more,
    }  # fmt: skip


def read(folder, make, *, rate=4.0, seconds=900.0, ended=0.0, since_s=None, write=iso):
    """Log, state and sentence; `make` gets the seconds that are left, and returns one record, several or none."""
    rng, rows = random.Random(7), []
    now = time.time() - ended
    at = now - seconds
    while True:
        at += rng.expovariate(rate(now - at) if callable(rate) else rate)
        if at >= now:
            break
        made = make(rng, now - at)
        rows += [
            row if isinstance(row, str) else json.dumps({"time": write(at), **row})
            for row in (made if isinstance(made, list) else [made] if made else [])
        ]
    path = planted.write(folder / "app.log", rows)
    log = planted.summarise(str(path), since_s=since_s)
    state = judge(log)
    return log, state, sentence(log, state, iso)
