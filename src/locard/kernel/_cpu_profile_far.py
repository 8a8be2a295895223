"""Takes the clock's samples of the target, beside it; Python 3.6, standard library only.

Stands behind `far/unwind.py` and `_stacks_far.py` and before `far/observe.py`. Setting: `hz`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from locard.far.observe import Observation
    from locard.kernel._stacks_far import Pieces, Stacks

HELD = []  # type: list[Pieces] # of this observation


def begin_samples(observation: "Observation") -> None:
    """ATTACH."""
    HELD.append(Pieces(Stacks(observation)))
    observation.obj.attach_clock("sample", 0, int(observation.settings["hz"]))


def tick_samples(_observation: "Observation") -> None:
    """TICK."""
    HELD[0].stacks.refresh()
    HELD[0].take()


def tell_samples(_observation: "Observation") -> None:
    """EXTRA."""
    HELD[0].take()
    HELD[0].tell()
    HELD[0].stacks.tell()


ATTACH = begin_samples
TICK = tick_samples
EXTRA = tell_samples
