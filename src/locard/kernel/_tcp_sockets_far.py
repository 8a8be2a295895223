"""Marks the TCP sockets that the target holds open when an observation begins, beside the target.

Stands before `far/observe.py` in one namespace. The object has two iterators: what listens goes first, since
a connection to a port that the target listens on is one that it accepted.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation, family


def mark_sockets(observation: "Observation") -> None:
    """Run both over the target's processes, once everything is attached."""
    for name in ("listeners", "connections"):
        for pid in family(observation.pids):
            observation.obj.iterate(name, "", pid)


ATTACH = mark_sockets
