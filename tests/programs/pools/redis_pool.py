"""redis-py: two commands without an answer have both connections of the blocking pool, three more wait."""

import threading

import redis
from kept import silent_server, wait_forever

SERVER, PORT = silent_server()
CLIENT = redis.Redis(
    connection_pool=redis.BlockingConnectionPool(
        host="127.0.0.1", port=PORT, max_connections=2, timeout=3600, socket_timeout=3600
    )
)
HELD = threading.Semaphore(0)


def fetch():
    HELD.release()
    CLIENT.get("a")


def ask():
    CLIENT.get("b")


wait_forever([fetch] * 2, HELD, [ask] * 3)
