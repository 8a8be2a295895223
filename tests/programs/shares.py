"""Workers that spend known shares of their time in two functions, beside threads that only wait.

    shares.py [HEAVY:LIGHT …] [--idle N] [--here]

Each pair is one forked worker (with --here: a thread of this process) whose rounds call `heavy` and `light` with
so many steps of the same loop. Prints one JSON object, {"pids"}, and, for each line on its standard input, one
more: "count": {"rounds": of --here}, "fork HEAVY:LIGHT": {"pid"}. Runs until its standard input is closed.
"""

import json
import os
import signal
import sys
import threading

ROUNDS = [0]
LOST = threading.Event()


def heavy(number):
    total = 0
    for k in range(number):
        total = (total + k) & 1023
    return total


def light(number):
    total = 0
    for k in range(number):
        total = (total + k) & 1023
    return total


def work(pair):
    much, little = (int(part) * 2000 for part in pair.split(":"))
    parent = os.getppid()
    while os.getppid() == parent:  # a worker ends with the program
        heavy(much)
        light(little)
        ROUNDS[0] += 1


def forked(pair):
    pid = os.fork()
    if not pid:
        os.close(0)
        work(pair)
        os._exit(0)
    return pid


def main(words):
    idle = int(words[words.index("--idle") + 1]) if "--idle" in words else 0
    pairs = [w for w in words if ":" in w]
    pids = [] if "--here" in words else [forked(pair) for pair in pairs]
    for number in range(idle):
        threading.Thread(target=LOST.wait, name=f"idle-{number}", daemon=True).start()
    if "--here" in words:
        for pair in pairs:
            threading.Thread(target=work, args=(pair,), name="works", daemon=True).start()
    print(json.dumps({"pids": pids}), flush=True)
    for line in sys.stdin:
        verb, _, pair = line.strip().partition(" ")
        if verb == "fork":
            pids.append(forked(pair))
            print(json.dumps({"pid": pids[-1]}), flush=True)
        else:
            print(json.dumps({"rounds": ROUNDS[0]}), flush=True)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


main(sys.argv[1:])
