"""redis-py's BlockingConnectionPool.

Stands behind `far/python_waits.py` in one namespace. Its queue is full of free places at first.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.python_waits import KNOWN, Known

KNOWN.append(
    Known(
        "redis BlockingConnectionPool",
        "pool",
        (("/redis/connection.py", ("get_connection",)),),
        limit="max_connections",
        used="max_connections - len(pool.queue)",
        inside=(("/redis/client.py", ("execute_command", "_execute_command"), "connection_pool"),),
    )
)
