"""A Python under a seccomp filter (first argument: allow, errno, nosys or kill for the call of the second), or with `memory` a limit; calls `work`.

Prints {"ready": pid} and runs until its standard input is closed.
"""

import ctypes
import json
import os
import resource
import struct
import sys
import threading
import time
from pathlib import Path

ACTIONS = {"allow": 0x7FFF0000, "errno": 0x00050001, "nosys": 0x00050026, "kill": 0x80000000}


def work(number):
    return number + 1


def install(action, call):
    """A filter that answers `action` to one call, and lets all others through."""
    code = [
        (0x20, 0, 0, 0),
        (0x15, 0, 1, call),
        (0x06, 0, 0, action),
        (0x06, 0, 0, ACTIONS["allow"]),
    ]
    raw = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *one) for one in code))
    program = ctypes.create_string_buffer(
        struct.pack("<HxxxxxxQ", len(code), ctypes.addressof(raw))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.syscall(317, 1, 1, program) == 0, os.strerror(ctypes.get_errno())  # all threads


def loop():
    while True:
        work(1)
        time.sleep(0.01)


threading.Thread(target=loop, daemon=True).start()
if sys.argv[1] == "memory":  # too little for the stack of another thread
    size = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (size + (2 << 20), size + (2 << 20)))
else:
    install(ACTIONS[sys.argv[1]], int(sys.argv[2]))
print(json.dumps({"ready": os.getpid()}), flush=True)
sys.stdin.read()
os._exit(0)
