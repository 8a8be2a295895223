"""httpcore: two requests without an answer have both connections, three more wait."""

import threading

import httpcore
from kept import silent_server, wait_forever

SERVER, PORT = silent_server()
POOL = httpcore.ConnectionPool(max_connections=2)
HELD = threading.Semaphore(0)
URL = f"http://127.0.0.1:{PORT}/"
LONG = {"timeout": {"pool": 3600, "read": 3600}}


def fetch():
    HELD.release()
    POOL.request("GET", URL, extensions=LONG)


def ask():
    POOL.request("GET", URL, extensions=LONG)


wait_forever([fetch] * 2, HELD, [ask] * 3)
