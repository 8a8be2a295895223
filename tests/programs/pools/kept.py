"""Starts those that hold a connection, then those that wait for one; says so, and ends with standard input."""

import json
import os
import sys
import threading


def wait_forever(holders, held, waiters):
    """Threads of the functions `holders`, each of which releases `held` once; then those of `waiters`."""
    start(holders)
    for _ in holders:
        held.acquire()
    start(waiters)
    print(
        json.dumps({"pid": os.getpid(), "holders": len(holders), "waiters": len(waiters)}),
        flush=True,
    )
    sys.stdin.read()
    os._exit(0)


def start(functions):
    for function in functions:
        threading.Thread(target=function, name=function.__name__, daemon=True).start()


def silent_server():
    """A port where connections are accepted and nothing is ever answered."""
    import socket

    server = socket.create_server(("127.0.0.1", 0), backlog=64)
    return server, server.getsockname()[1]
