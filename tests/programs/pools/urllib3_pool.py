"""urllib3 with block=True: two requests without an answer have both connections, three more wait."""

import threading

import urllib3
from kept import silent_server, wait_forever

SERVER, PORT = silent_server()
POOL = urllib3.HTTPConnectionPool("127.0.0.1", PORT, maxsize=2, block=True, retries=False)
HELD = threading.Semaphore(0)


def fetch():
    HELD.release()
    POOL.request("GET", "/", timeout=3600)


def ask():
    POOL.request("GET", "/", pool_timeout=3600, timeout=3600)


wait_forever([fetch] * 2, HELD, [ask] * 3)
