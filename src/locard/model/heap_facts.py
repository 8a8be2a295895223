"""What grew among the objects of a runtime over several looks, and who holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Trend = Literal["steady", "level", "uneven"]


@dataclass(frozen=True, slots=True)
class HeapLook:
    """One look at all objects: seconds since the first, what it took, how well it went."""

    at_s: float
    took_s: float
    objects: int
    anonymous: int  # bytes of private memory of the process then; 0: not known
    torn: int = 0  # places at which a list changed under the walk and was taken up again
    again: int = 0  # lists that were walked anew, since the collector went over them meanwhile
    partial: str = ""  # why it is not whole
    fleeting: bool = False  # the young objects changed faster than they could be read: not counted


@dataclass(frozen=True, slots=True)
class HeldBy:
    """One step of a chain: the type of the holder, and what is known of it.

    `items` of a container or a cache; `cache` is true for functools.lru_cache, with its counters; `of` names a
    function; `attribute` is the name under which an instance holds the step before.
    """

    type: str
    items: int | None = None
    cache: bool = False
    hits: int = 0
    most: int | None = None  # items that it keeps at most; None: no bound
    of: str = ""
    attribute: str = ""


@dataclass(frozen=True, slots=True)
class Holding:
    """Who holds something that grows: the chain, nearest first, up to what has a name.

    `root` is "module", "class", "frame" (a variable of a function that runs), "state" (of a thread or of the
    interpreter), or "" where no name was reached. `alone`: it and its holders are held by one another only.
    """

    steps: tuple[HeldBy, ...]
    root: Literal["module", "class", "frame", "state", ""] = ""
    name: str = ""  # of the module, class, function
    key: str = ""  # what it calls it
    thread: str = ""
    lasting: bool = False  # a variable of one of the outermost functions of the main thread
    alone: bool = False
    same: int = 1  # of `looked` samples, those with this very chain
    looked: int = 1


@dataclass(frozen=True, slots=True)
class GrowingType:
    """A type of which there were more from look to look.

    `counts` is empty for what the collector does not track: its rate comes `through` the type that holds it.
    `kept` is the share of those that came between the first two looks and are there at the last.
    """

    name: str
    counts: tuple[int, ...]
    trend: Trend
    per_s: float
    bytes_each: int | None
    level_s: float | None = None
    kept: float | None = None
    through: str = ""
    holding: Holding | None = None


@dataclass(frozen=True, slots=True)
class GrowingContainer:
    """One list, dict, set or deque that got more items from look to look, and of which types the newest are."""

    name: str
    counts: tuple[int, ...]
    trend: Trend
    per_s: float
    items: tuple[str, ...]
    level_s: float | None = None
    holding: Holding | None = None
    most: int | None = None  # items that it keeps at most; None: no bound


@dataclass(frozen=True, slots=True)
class GrowingText:
    """One text or buffer that became longer from look to look."""

    name: str
    sizes: tuple[int, ...]  # bytes
    trend: Trend
    bytes_s: float
    holding: Holding | None = None


@dataclass(frozen=True, slots=True)
class HeapGrowth:
    """The objects of one process over several looks, read from outside."""

    pid: int
    runtime: str
    age_s: float  # of the process, at the first look
    looks: tuple[HeapLook, ...]
    types: tuple[GrowingType, ...] = ()
    containers: tuple[GrowingContainer, ...] = ()
    texts: tuple[GrowingText, ...] = ()
    collector_on: bool = True
    collections: tuple[int, ...] = ()  # of each generation, meanwhile
    young: int = 0  # objects that no collection has seen, at the last look
    interpreters: int = 1
    search_s: float = 0.0
    unfinished: str = ""  # why the search for holders ended before its end
    cost_s: float = 0.0  # of a core, on the machine of the target
    ended: str = ""  # why the looks ended before their time
    unasked: str = ""  # why no look was taken, in an investigation

    @property
    def seconds(self) -> float:
        """Between the first look and the last."""
        return self.looks[-1].at_s - self.looks[0].at_s if self.looks else 0.0

    @property
    def compared(self) -> bool:
        """Whether looks at all objects were compared."""
        return (
            len(self.looks) > 1
            and self.ended in {"", "stopped"}
            and not any(look.partial for look in self.looks)
        )

    @property
    def problem(self) -> str:
        """What was not read, in words."""
        said = dict.fromkeys(look.partial for look in self.looks if look.partial)
        return "; ".join((*said, *([self.ended] if self.ended else ())))

    @property
    def partial(self) -> bool:
        """Whether growth could not be told of all objects."""
        return bool(self.problem)
