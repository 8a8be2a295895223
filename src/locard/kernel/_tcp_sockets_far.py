"""Marks the TCP sockets that the target holds open when an observation begins, beside the target.

Stands before `far/observe.py` in one namespace. The setting `looks` names the object's iterators in order: what
listens goes first, since a connection to a port that the target listens on is one that it accepted.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation
    from locard.far.processes import family


def mark_sockets(observation: "Observation") -> None:
    """Run them over the target's processes, once everything is attached."""
    for name in observation.settings["looks"]:
        for pid in family(observation.pids):
            observation.obj.iterate(name, "", pid)


ATTACH = mark_sockets
