"""psycopg_pool: two threads hold both connections, three wait; connections are stand-ins without a server."""

import threading
import time
import types

import psycopg_pool
from kept import wait_forever


class Connection:
    """What the pool needs of a connection."""

    @classmethod
    def connect(cls, *_, **__):
        return cls()

    def __init__(self):
        self._pool = None
        self.pgconn = types.SimpleNamespace(transaction_status=0)
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def commit(self):
        return None

    def close(self):
        self.closed = True


POOL = psycopg_pool.ConnectionPool(
    "", connection_class=Connection, min_size=1, max_size=2, name="orders", timeout=3600, open=True
)
HELD = threading.Semaphore(0)


def report():
    with POOL.connection() as connection:
        HELD.release()
        time.sleep(3600)
        connection.commit()


def order():
    with POOL.connection():
        pass


wait_forever([report] * 2, HELD, [order] * 3)
