"""psycopg_pool's ConnectionPool and AsyncConnectionPool.

Stands behind `far/python_waits.py` in one namespace. `_nconns` counts the connections that it has made, `_pool` holds
those that are free.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.python_waits import KNOWN, THROUGH, Known

THROUGH += ["/psycopg_pool/_acompat.py"]
KNOWN.append(
    Known(
        "psycopg_pool",
        "pool",
        (("/psycopg_pool/pool.py", ("getconn",)), ("/psycopg_pool/pool_async.py", ("getconn",))),
        limit="_max_size",
        used="_nconns - len(_pool)",
        label="name",
        held=(("Connection", "_pool", "_pool"), ("AsyncConnection", "_pool", "_pool")),
    )
)
