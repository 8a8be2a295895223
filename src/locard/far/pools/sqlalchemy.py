"""SQLAlchemy's QueuePool (1.4 and 2), and that of its asyncio engines, whose checkout runs in a greenlet.

Stands behind `far/python_waits.py` in one namespace. `_overflow` begins at minus the size of the pool.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.python_waits import KNOWN, THROUGH, Known

THROUGH += [
    "/sqlalchemy/util/queue.py",
    "/sqlalchemy/util/_concurrency_py3k.py",
    "/sqlalchemy/util/concurrency.py",
]
KNOWN.append(
    Known(
        "SQLAlchemy QueuePool",
        "pool",
        (("/sqlalchemy/pool/impl.py", ("_do_get",)),),
        limit="_pool.maxsize + _max_overflow",
        used="_pool.maxsize - len(_pool.queue) + _overflow"
        " | _pool.maxsize - len(_pool._queue._queue) + _overflow",
        held=(
            ("Connection", "_dbapi_connection._pool", "_dbapi_connection"),
            ("_ConnectionFairy", "_pool", "dbapi_connection"),
            (
                "AsyncConnection",
                "sync_connection._dbapi_connection._pool",
                "sync_connection",
            ),
            (
                "AsyncSession",
                "sync_session._transaction._connections[]._dbapi_connection._pool",
                "sync_session",
            ),
            ("Session", "_transaction._connections[]._dbapi_connection._pool", "_transaction"),
        ),
    )
)
