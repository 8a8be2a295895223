"""urllib3's HTTPConnectionPool with block=True, as requests' adapters with pool_block have it.

Stands behind `far/python_waits.py` in one namespace. Its queue is full of free places at first.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.python_waits import KNOWN, Known

KNOWN.append(
    Known(
        "urllib3 HTTPConnectionPool",
        "pool",
        (("/urllib3/connectionpool.py", ("_get_conn",)),),
        limit="pool.maxsize",
        used="pool.maxsize - len(pool.queue)",
        label="host",
        held=(("HTTPResponse", "_pool", "_connection"),),
        inside=(("/urllib3/connectionpool.py", ("_make_request",), ""),),
    )
)
