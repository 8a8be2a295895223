"""Threads below a generator and a method, at an RLock that one of them keeps; says its own truth.

Prints one JSON object: {"holder", "waiters", "spinner": thread ids, "at", "held_at", "line": lines}. Runs until
its standard input is closed.
"""

import json
import sys
import threading
import time
from pathlib import Path

LOCK = threading.RLock()
# From 3.13 on only a lock that stands alone can be told.
DECOY = threading.RLock() if sys.version_info < (3, 13) else None
TIDS = {}
SPIN = "spin" in sys.argv[1:]


class Service:
    def hold(self):
        with LOCK:
            TIDS["holder"] = threading.get_native_id()
            time.sleep(600)  # @held

    def steps(self):
        yield 1
        beside = DECOY  # another lock in the same frame, before the one that it waits for
        TIDS.setdefault("waiters", []).append(threading.get_native_id())
        with LOCK:  # @at
            yield beside


def wait():
    for _ in Service().steps():
        pass


def add(number):
    return number + 1


def spin():
    TIDS["spinner"] = threading.get_native_id()
    number = 0
    while True:
        number = add(number)  # @line


def line_of(mark):
    with Path(__file__).open() as source:
        return next(n for n, text in enumerate(source, 1) if text.rstrip().endswith("# @" + mark))


threading.Thread(target=Service().hold, name="keeper", daemon=True).start()
while "holder" not in TIDS:
    time.sleep(0.01)
for number in range(3):
    threading.Thread(target=wait, name=f"waits-{number}", daemon=True).start()
if SPIN:
    threading.Thread(target=spin, name="spins", daemon=True).start()
while len(TIDS.get("waiters", ())) < 3 or (SPIN and "spinner" not in TIDS):
    time.sleep(0.01)
print(
    json.dumps(dict(TIDS, at=line_of("at"), held_at=line_of("held"), line=line_of("line"))),
    flush=True,
)
sys.stdin.read()
