"""Threads or an event loop that keep each other waiting, one way a word; ends when standard input is closed.

Prints one JSON line when all wait: {"pid", "kind"}. Standard library only, 3.8 or later.
"""

import asyncio
import hashlib
import json
import os
import queue
import re
import sys
import threading
import time

KIND = sys.argv[1]


def spin():
    while True:
        sum(range(1000))


def in_c():
    while True:
        re.match(r"(a+)+$", "a" * 29 + "b")  # keeps the GIL for minutes


def await_io():
    while True:
        time.sleep(0.01)


def semaphore():
    gate = threading.BoundedSemaphore(2)

    def render():
        with gate:
            time.sleep(3600)

    return [render] * 4


def full_queue():
    full = queue.Queue(3)

    def put():
        for number in range(1000):
            full.put(number)

    return [put] * 2


def empty_queue():
    return [queue.Queue().get] * 2


def threads(functions):
    for function in functions:
        threading.Thread(target=function, name=function.__name__, daemon=True).start()


async def login():
    while True:
        if KIND == "loop-cpu":
            hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2000000)
        elif KIND == "loop-sleep":
            time.sleep(1)  # noqa: ASYNC251 - it is the fault
        elif KIND == "loop-short":
            until = time.monotonic() + 0.002
            while time.monotonic() < until:
                sum(range(100))
        await asyncio.sleep(0 if KIND != "loop-idle" else 3600)


async def gated(gate):
    async with gate:
        await asyncio.sleep(3600)


async def loop():
    if KIND == "loop-semaphore":
        gate = asyncio.Semaphore(1)
        tasks = [asyncio.ensure_future(gated(gate)) for _ in range(3)]
    else:
        tasks = [asyncio.ensure_future(login()) for _ in range(3)]
    if hasattr(tasks[0], "set_name"):
        for number, task in enumerate(tasks):
            task.set_name(f"login-{number}")
    asyncio.get_running_loop().call_later(0.01, ready)
    await asyncio.gather(*tasks)


def ready():
    print(json.dumps({"pid": os.getpid(), "kind": KIND}), flush=True)


def end():
    sys.stdin.read()
    os._exit(0)


if KIND == "in-c":  # nobody else comes to run any more: said before
    threading.Thread(target=end, daemon=True).start()
    threads([await_io])
    ready()
    in_c()
threading.Thread(target=end, daemon=True).start()
if KIND.startswith("loop-"):
    asyncio.run(loop())
kinds = {
    "spin": [spin] * 3,
    "alone": [spin],
    "io": [await_io] * 3,
    "semaphore": semaphore(),
    "full-queue": full_queue(),
    "empty-queue": empty_queue(),
}
threads(kinds[KIND])
time.sleep(0.2)
ready()
time.sleep(3600)
