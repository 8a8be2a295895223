"""What grew over several looks at a process, and how: steadily, until a moment, unevenly; beside the target.

Stands before `far/python_heap.py` in one namespace; 3.6, standard library only.
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from locard.far.python_gc import GC_HEAD, Look, Pages
    from locard.far.python_kinds import HAVE_GC, Kinds, Shapes
    from locard.far.python_loose import LARGE, Loose
    from locard.far.python_objects import word

SIZED = 100  # new objects of a type whose sizes are read
SOUGHT = 3  # new objects of a type whose holders are looked for
MOST_TYPES, MOST_CONTAINERS = 40, 8
MOST_OWNED = 2000  # words of one object that are looked at for what it owns alone
DEPTH_OF_OWNED = 4
SHARE = 0.2  # of the objects of a type, from which on what each owns is said
SLOW = 0.05  # a second: less is no row of its own
LEAST = 10  # from which on a rise is looked at
EVEN = 0.5  # of the mean rate: the least of an interval of steady growth
LEVEL = 0.1  # of the mean rate while it grew: what counts as level


def trend(times: "Sequence[float]", counts: "Sequence[float]", least: float = LEAST) -> str:
    """How something went over the looks: "steady", "level", "uneven"; "" where it did not grow."""
    total, seconds = counts[-1] - counts[0], times[-1] - times[0]
    if total < least or seconds <= 0:
        return ""
    steps = steps_of(counts)
    spans = steps_of(times)
    if len(steps) > 1 and level_from(times, counts):
        return "level"
    for step, span in zip(steps, spans):
        expected = total * span / seconds
        noise = expected - 2 * expected**0.5
        if step <= 0 or step < min(EVEN * expected, noise):
            return "uneven"
    return "steady"


def steps_of(numbers: "Sequence[float]") -> "list[float]":
    """From each number to the next."""
    return [numbers[n + 1] - numbers[n] for n in range(len(numbers) - 1)]


def level_from(times: "Sequence[float]", counts: "Sequence[float]") -> int:
    """The number of the look from which on it stayed level after it had grown; 0 where it did not."""
    for number in range(1, len(counts) - 1):
        grew, span = counts[number] - counts[0], times[number] - times[0]
        rest, left = counts[-1] - counts[number], times[-1] - times[number]
        rose = min(steps_of(counts[: number + 1])) >= 0
        still = max(abs(later - counts[number]) for later in counts[number + 1 :]) <= LEVEL * grew
        if grew > 0 and rose and still and rest <= LEVEL * grew / span * left:
            return number
    return 0


class Growth:
    """What grew from look to look."""

    def __init__(
        self,
        kinds: "Kinds",
        loose: "Loose",
        looks: "list[Look]",
        counts: "list[dict[int, int]]",
    ) -> None:
        """`counts`: objects by type, for each look."""
        self.kinds, self.loose, self.looks, self.counts = kinds, loose, looks, counts
        self.times = [look.at for look in looks]
        # By type and the type that holds it: objects a second, bytes a second, trend, since when it is level.
        self.owned = {}  # type: dict[tuple[int, int], tuple[float, float, str, float | None]]

    def row(self, known: "Sequence[float | None]", least: float = LEAST) -> "dict[str, Any] | None":
        """How a number grew, from the first look on that has one; None where it did not, or most looks have none."""
        first = next((n for n, number in enumerate(known) if number is not None), len(known))
        times, counts = (
            self.times[first:],
            [number for number in known[first:] if number is not None],
        )
        if len(counts) < len(times) or len(times) < max(2, (len(known) + 1) // 2):
            return None
        how = trend(times, counts, least)
        if not how:
            return None
        since = times[level_from(times, counts)] - self.times[0] if how == "level" else None
        per_s = (counts[-1] - counts[0]) / (times[-1] - times[0])
        return {"counts": counts, "trend": how, "level_s": since, "per_s": per_s}

    def shapes(self) -> "Shapes":
        """Sizes and references of now."""
        return Shapes(self.kinds, Pages(self.kinds.memory))

    # -- types -----------------------------------------------------------------------------

    def types(self) -> "list[dict[str, Any]]":
        """What grew among the types of the collector, with sizes; what the new ones own alone goes to `owned`."""
        rows = []
        for kind in self.counts[-1]:
            row = self.row([c.get(kind, 0) for c in self.counts])
            if row is None:
                continue
            row.update({"type": kind, "name": self.kinds.name(kind), "through": ""})
            new, stayed, row["kept"] = self.fresh(kind)
            row["bytes_each"] = self.sizes(kind, new[-SIZED:], row)
            row["sample"] = stayed or new[:SOUGHT]
            rows.append(row)
        rows.sort(key=lambda r: -float(r["per_s"]) * (r["bytes_each"] or 1))
        return rows[:MOST_TYPES]

    def fresh(self, kind: int) -> "tuple[list[int], list[int], float | None]":
        """Objects of a type that only the last look has; some that came after the first and stayed; which share did."""
        first, last = (set(self.looks[n].objects.get(kind, ())) for n in (0, -1))
        new = sorted(a + GC_HEAD for a in last - first)
        if len(self.looks) < 3:
            return new, [], None
        came = [a for a in self.looks[1].objects.get(kind, ()) if a not in first]
        stayed = [a + GC_HEAD for a in came if a in last]
        step = max(1, len(stayed) // SOUGHT)
        return new, stayed[::step][:SOUGHT], len(stayed) / len(came) if came else None

    def sizes(self, address: int, new: "list[int]", row: "dict[str, Any]") -> "int | None":
        """Bytes of a new object of a type, on average; what these own alone is added to `owned`."""
        kind = self.kinds.kind(address)
        found = []
        shapes = self.shapes()
        shares = {}  # type: dict[int, list[float]]
        for one in new:
            try:
                if kind is None or word(shapes.pages.read(one + 8, 8), 0) != address:
                    continue
                found.append(shapes.size(one, kind))
                self.own(shapes, shapes.words(one, kind), 1.0, 0, shares)
            except (OSError, ValueError, struct.error):
                continue
        self.add(address, row, shares, len(found), row["per_s"])
        return round(sum(found) / len(found)) if found else None

    def add(
        self,
        holder: int,
        row: "dict[str, Any]",
        shares: "dict[int, list[float]]",
        of: int,
        per_s: float,
    ) -> None:
        """Add what so many objects of a growing holder own to `owned`."""
        for kind, (number, size) in shares.items():
            if number >= SHARE * of:
                rate = per_s / of
                self.owned[kind, holder] = number * rate, size * rate, row["trend"], row["level_s"]

    def own(
        self,
        shapes: "Shapes",
        words: "Iterable[int]",
        weight: float,
        depth: int,
        shares: "dict[int, list[float]]",
    ) -> None:
        """Add what the collector does not track among these words: by type its number and bytes.

        An object with n references counts 1/n for each that is found.
        """
        for address in list(words)[:MOST_OWNED]:
            found = self.loose.peek(shapes, address)
            if found is None:
                continue
            kind, count = found
            part = weight / count
            if part < 0.01:
                continue
            try:
                size = shapes.size(address, kind)
                below = (
                    shapes.words(address, kind)
                    if depth < DEPTH_OF_OWNED and kind.flags & HAVE_GC
                    else ()
                )
            except (OSError, ValueError, struct.error):
                continue
            share = shares.setdefault(kind.address, [0.0, 0.0])
            share[0] += part
            share[1] += part * size
            self.own(shapes, below, part, depth + 1, shares)

    def untracked(self) -> "list[dict[str, Any]]":
        """Rows of types that grow only through what holds them: what is in `owned`, by type."""
        found = {}  # type: dict[int, dict[str, Any]]
        for (kind, holder), (rate, size, how, since) in sorted(
            self.owned.items(), key=lambda o: -o[1][1]
        ):
            row = found.setdefault(
                kind,
                {"type": kind, "name": self.kinds.name(kind), "counts": [], "trend": how, "per_s": 0.0,
                 "bytes_s": 0.0, "level_s": since, "kept": None, "sample": [], "through": self.kinds.name(holder)},
            )  # fmt: skip
            row["per_s"] += rate
            row["bytes_s"] += size
            if how == "steady":
                row["trend"], row["level_s"] = how, None
        for row in found.values():
            row["bytes_each"] = round(row.pop("bytes_s") / row["per_s"])
        return [r for r in found.values() if r["per_s"] > SLOW]

    def merged(self, types: "list[dict[str, Any]]") -> "list[dict[str, Any]]":
        """Those rows and those of `untracked`; a type that is partly tracked is one row with the sum."""
        by_type = {row["type"]: row for row in types}
        every = list(types)
        for more in self.untracked():
            row = by_type.get(more["type"])
            if row is None:
                every.append(more)
                continue
            rate = row["per_s"] + more["per_s"]
            if row["bytes_each"] is not None:
                row["bytes_each"] = round(
                    (row["bytes_each"] * row["per_s"] + more["bytes_each"] * more["per_s"]) / rate
                )
            # What leaves the collector's lists has not ended: which share stayed is not known.
            row.update(per_s=rate, kept=None, through=more["through"])
            if more["trend"] == "steady":
                row.update(trend="steady", level_s=None)
        return every

    # -- containers and texts --------------------------------------------------------------

    def containers(self) -> "list[dict[str, Any]]":
        """Containers that were there at the first looks and got more items, the steady and fast ones first."""
        rows = []
        for address in self.looks[-1].items:
            row = self.row([look.items.get(address) for look in self.looks])
            if row is not None:
                rows.append(dict(row, address=address))
        rows.sort(key=lambda r: (r["trend"] != "steady", -float(r["per_s"])))
        rows = rows[:MOST_CONTAINERS]
        for row in rows:
            try:
                self.contents(row)
            except (OSError, ValueError, struct.error):
                continue
        return [r for r in rows if "name" in r]

    def contents(self, row: "dict[str, Any]") -> None:
        """Name a container's type and the types of its newest items; what of these is not tracked goes to `owned`."""
        shapes = self.shapes()
        address = row["address"]
        kind_at = word(shapes.pages.read(address + 8, 8), 0)
        kind = self.kinds.kind(kind_at)
        reads = {
            "list": shapes.of_list,
            "dict": shapes.of_dict,
            "set": shapes.of_set,
            "deque": shapes.of_deque,
        }
        if kind is None or kind.shape not in reads:
            return
        row["name"] = self.kinds.name(kind_at)
        each = 2 if kind.shape == "dict" else 1  # a key and its value
        items = [w for w in reads[kind.shape](address) if w][-SIZED * each :]
        shares = {}  # type: dict[int, list[float]]
        self.own(shapes, items, 1.0, 0, shares)
        self.add(kind_at, row, shares, max(1, len(items) // each), row["per_s"])
        types = {}  # type: dict[str, int]
        for item in items:
            known = self.kinds.kind(word(shapes.pages.read(item + 8, 8), 0))
            if known is not None:
                name = self.kinds.name(known.address)
                types[name] = types.get(name, 0) + 1
        row["items"] = sorted(types, key=lambda n: -types[n])[:3]

    def texts(self) -> "list[dict[str, Any]]":
        """Single texts and buffers that became longer, by the place at which they are kept."""
        rows = []
        for place, (kind, _) in self.looks[-1].loose.items():
            row = self.row([look.loose.get(place, (0, None))[1] for look in self.looks], LARGE)
            if row is not None:
                rows.append(dict(row, type=kind, name=self.kinds.name(kind), place=place))
        return sorted(rows, key=lambda r: -float(r["per_s"]))[:MOST_CONTAINERS]
