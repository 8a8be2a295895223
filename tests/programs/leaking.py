"""A process whose objects grow in a way that it is told, 25 of them a second; it answers each line with the truth.

`leaking.py HOW`: cache (lru_cache on a method), bounded (the same with maxsize), list, dict, text (of untracked
values), growing (one buffer), slots, churn (made and freed), circles (with the collector off), native (malloc),
frame (a variable of a function that runs), frozen (behind gc.freeze), local (threading.local), steady (nothing).
"""

import collections
import ctypes
import functools
import gc
import json
import sys
import threading
import time

HOW = sys.argv[1]
EVERY_S = 0.04
made = [0]


class Session:
    def __init__(self):
        self.buffer = bytearray(16384)


class Client:
    def __init__(self, number):
        self.name, self.session = f"client-{number}", Session()

    @functools.lru_cache(maxsize=30 if HOW == "bounded" else None)  # noqa: B019 - the leak
    def branch(self, remote):
        return "main"


class Slotted:
    __slots__ = ("number", "other")

    def __init__(self, number):
        self.number, self.other = number, [number]


class Bus:
    def __init__(self):
        self.listeners = collections.deque()


BUS, LIST, DICT, TEXTS, LOG = Bus(), [], {}, {}, bytearray()
LOCAL = threading.local()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p


def add_circle(number, own):
    one = Client(number)
    one.me = one


ONCE = {
    "cache": lambda number, own: Client(number).branch("origin"),
    "bounded": lambda number, own: Client(number).branch("origin"),
    "list": lambda number, own: BUS.listeners.append(lambda: number),
    "dict": lambda number, own: DICT.update({number: Client(number)}),
    "text": lambda number, own: TEXTS.update({f"key-{number}": "x" * 1000 + str(number)}),
    "growing": lambda number, own: LOG.extend(b"y" * 2000),
    "slots": lambda number, own: LIST.append(Slotted(number)),
    "frozen": lambda number, own: LIST.append(Slotted(number)),
    "circles": add_circle,
    "native": lambda number, own: ctypes.memset(libc.malloc(16384), 1, 16384),
    "frame": lambda number, own: own.append(Client(number)),
    "local": lambda number, own: LOCAL.__dict__.setdefault("kept", []).append(Client(number)),
    "churn": lambda number, own: [Slotted(number) for _ in range(5)],
    "steady": lambda number, own: None,
}


def work():
    own, once = [], ONCE[HOW]
    while True:
        made[0] += 1
        once(made[0], own)
        time.sleep(EVERY_S)


if HOW == "circles":
    gc.disable()
if HOW == "frozen":
    LIST.append(Slotted(0))
    gc.freeze()
threading.Thread(target=work, name="work", daemon=True).start()
print("ready", flush=True)
for _ in sys.stdin:
    print(
        json.dumps(
            {
                "made": made[0],
                "gc": gc.isenabled(),
                "counts": gc.get_count(),
                "collections": [s["collections"] for s in gc.get_stats()],
            }
        ),
        flush=True,
    )
