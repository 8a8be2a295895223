"""httpcore's ConnectionPool, which httpx uses: a request waits in it until it is given a connection.

Stands behind `far/python_waits.py` in one namespace. What is in use counts the idle connections to other hosts as well.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.python_waits import KNOWN, THROUGH, Known

THROUGH += ["/httpcore/_synchronization.py", "/anyio/_backends/_asyncio.py"]
KNOWN.append(
    Known(
        "httpcore ConnectionPool",
        "pool",
        (
            ("/httpcore/_sync/connection_pool.py", ("handle_request",)),
            ("/httpcore/_async/connection_pool.py", ("handle_async_request",)),
        ),
        limit="_max_connections",
        used="len(_connections)",
        inside=(
            ("/httpcore/_sync/connection_pool.py", ("handle_request",), ""),
            ("/httpcore/_async/connection_pool.py", ("handle_async_request",), ""),
        ),
        held=(("PoolByteStream", "_pool", "_pool"),),
    )
)
