"""aiohttp's connector: connections of one client session, 100 unless told otherwise.

Stands behind `far/python_waits.py` in one namespace. A limit for each host is not read.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.python_waits import KNOWN, Known

KNOWN.append(
    Known(
        "aiohttp connector",
        "pool",
        (("/aiohttp/connector.py", ("connect", "_wait_for_available_connection")),),
        limit="_limit",
        used="len(_acquired)",
        held=(
            ("_SessionRequestContextManager", "_resp._connection._connector", "_resp._connection"),
            ("ClientResponse", "_connection._connector", "_connection"),
        ),
    )
)
