"""SQLAlchemy: three threads hold all of the pool's connections, two wait; `orm`: by a Session."""

import sys
import threading
import time

from kept import wait_forever
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

ENGINE = create_engine(
    "sqlite://", poolclass=QueuePool, pool_size=2, max_overflow=1, pool_timeout=3600,
    connect_args={"check_same_thread": False},
)  # fmt: skip
HELD = threading.Semaphore(0)


def report():
    if "orm" in sys.argv:
        with Session(ENGINE) as session:
            session.execute(text("select 1"))
            HELD.release()
            time.sleep(3600)
    with ENGINE.connect() as connection:
        connection.execute(text("select 1"))
        HELD.release()
        time.sleep(3600)


def order():
    with ENGINE.connect():
        pass


wait_forever([report] * 3, HELD, [order] * 2)
