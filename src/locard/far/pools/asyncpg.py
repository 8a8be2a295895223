"""asyncpg's Pool: its queue holds the places that are free.

Stands behind `far/python_waits.py` in one namespace.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.python_waits import KNOWN, THROUGH, Known

THROUGH += ["/asyncpg/compat.py", "/asyncpg/_asyncio_compat.py"]
KNOWN.append(
    Known(
        "asyncpg Pool",
        "pool",
        (("/asyncpg/pool.py", ("_acquire",)),),
        limit="_maxsize",
        used="_maxsize - len(_queue._queue)",
        held=(
            ("PoolAcquireContext", "pool", "connection"),
            ("PoolConnectionProxy", "_holder._pool", "_con"),
        ),
    )
)
