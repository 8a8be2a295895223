"""Which component most likely caused a change of a symptom, from the metrics of all components.

Each measure gives evidence for its component (`component_evidence`). Then calls, where they are known,
say what is a consequence of what. It is the traversal that ends at the deepest anomalous component
(MonitorRank, Kim et al. 2013; PetShop, Hardt et al. 2024), but graded instead of with a threshold:

- trouble travels from the callee to its callers: what a callee shows is taken off what its callers
  show, as far as it reaches; half of it where one is slower and the other fails more, as either may
  be a consequence of the other;
- load travels from the caller to its callees: a component whose callers are known is not blamed for
  its own traffic, and its trouble is taken off as far as its and its callers' traffic explain it;
- the component on which the symptom was measured has no merit from being the symptom.

Without calls each component is judged by its own evidence. A score says nothing about whether there
is a cause among the components at all, and two rankings cannot be compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from locard.stats.component_evidence import Evidence, Floats, Measure, weigh

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["Measure", "Ranked", "rank_components"]

_NOT_CONNECTED = 0.5  # no chain of known calls to or from the symptom; calls may be missing
_UNKNOWN_CALLERS = 0.5  # of the traffic's evidence: most of it is the doing of others
_SYMPTOM_ITSELF = 0.5
_ANOTHER_KIND = 0.5  # of the explanation
_APART = {"latency", "errors"}
_CERTAIN = 0.8  # how far it is believed that what explains a component's evidence is its cause
_PLAIN = 2.5  # nats, of ten spreads: whoever moved so far can explain any width
_EXPLAINED = 0.5  # of the evidence, to be told so
_NO_MOVE = 0.05  # nats
_FOLLOWS = 0.7


@dataclass(frozen=True, slots=True)
class Ranked:
    """A component and how likely it is the cause, `score` being comparable inside one ranking only."""

    component: str
    score: float
    because: str  # what moved, how it goes with the symptom, what it does not explain
    measure: int  # index of the measure that speaks most for it


@dataclass(slots=True)
class _Shown:
    """The best evidence of a component: of trouble (all but traffic) and of load."""

    trouble: float = 0.0
    kinds: dict[str, float] = field(default_factory=dict)  # the trouble by kind of measure
    load: float = 0.0
    best: int = -1
    best_strength: float = -1.0


def rank_components(
    measures: Sequence[Measure],
    symptom: Floats,
    onset: int,
    *,
    calls: Collection[tuple[str, str]] = (),
) -> list[Ranked]:
    """Components by how likely they caused the symptom's change at index `onset`, likeliest first.

    Args:
        measures: series on one grid; several of a component are welcome.
        symptom: shape (T,), what was seen to go wrong. If it equals one of the measures, that one's
            kind says which direction is bad; else the larger deviation does.
        onset: index of the first sample that is no longer baseline.
        calls: (caller, callee) of the calls that are known.

    Raises:
        ValueError: if the series differ in length.
    """
    symptom = np.asarray(symptom, dtype=float)
    same = [m for m in measures if np.array_equal(m.values, symptom, equal_nan=True)]
    home = min(same, key=lambda m: m.component, default=None)
    with np.errstate(over="ignore", invalid="ignore"):
        evidence = weigh(measures, symptom, onset, home)
    calls_known = _Calls(calls, {m.component for m in measures})
    shown = _by_component(measures, evidence, same, calls_known)
    ranked = []
    for name, what in shown.items():
        score, by = _own(name, shown, calls_known)
        near = not same or any(calls_known.connected(m.component, name) for m in same)
        text = _because(measures[what.best], evidence[what.best], by)
        ranked.append(Ranked(name, score * (1.0 if near else _NOT_CONNECTED), text, what.best))
    return sorted(ranked, key=lambda r: (-r.score, r.component))


class _Calls:
    """The known calls, between components that were measured."""

    def __init__(self, calls: Collection[tuple[str, str]], measured: set[str]) -> None:
        self._callees: dict[str, set[str]] = {}
        self._callers: dict[str, set[str]] = {}
        for caller, callee in calls:
            if caller != callee:
                self._callees.setdefault(caller, set()).add(callee)
                self._callers.setdefault(callee, set()).add(caller)
        self._measured = measured
        self.below = cache(lambda name: _reached(name, self._callees))
        self.above = cache(lambda name: _reached(name, self._callers))

    def callees(self, name: str) -> list[str]:
        """The next measured ones below, without those that also call it: no cause goes in a circle."""
        return [c for c in self._next(name, self._callees) if name not in self.below(c)]

    def callers(self, name: str) -> list[str]:
        """As `callees`, above."""
        return [c for c in self._next(name, self._callers) if name not in self.above(c)]

    def connected(self, one: str, other: str) -> bool:
        """Whether one may be felt at the other, as far as is known."""
        if not self._callees or one == other:
            return True
        return other in self.below(one) or other in self.above(one)

    def entry(self, name: str) -> bool:
        """Whether it calls others, and no known component calls it."""
        return name in self._callees and not self.callers(name)

    def _next(self, name: str, edges: dict[str, set[str]]) -> list[str]:
        """Through what has no measures."""
        found, seen, todo = set[str](), {name}, list(edges.get(name, ()))
        while todo:
            at = todo.pop()
            if at in seen:
                continue
            seen.add(at)
            if at in self._measured:
                found.add(at)
            else:
                todo.extend(edges.get(at, ()))
        return sorted(found)


def _reached(name: str, edges: dict[str, set[str]]) -> frozenset[str]:
    """All that can be reached, the start only in a circle."""
    seen, todo = set[str](), [name]
    while todo:
        for at in edges.get(todo.pop(), ()):
            if at not in seen:
                seen.add(at)
                todo.append(at)
    return frozenset(seen)


def _by_component(
    measures: Sequence[Measure],
    evidence: Sequence[Evidence],
    same: Sequence[Measure],
    calls: _Calls,
) -> dict[str, _Shown]:
    """The strongest evidence of each component."""
    found: dict[str, _Shown] = {}
    for i, (measure, what) in enumerate(zip(measures, evidence, strict=True)):
        name, strength = measure.component, what.strength
        shown = found.setdefault(name, _Shown())
        own = strength
        if len(same) == 1 and measure is same[0]:
            strength = own = strength * _SYMPTOM_ITSELF
        if measure.kind == "traffic":
            shown.load = max(shown.load, strength)
            if not calls.entry(name):
                own = 0.0 if calls.callers(name) else strength * _UNKNOWN_CALLERS
        else:
            shown.trouble = max(shown.trouble, strength)
            shown.kinds[measure.kind] = max(shown.kinds.get(measure.kind, 0.0), strength)
        if (own, what.baseline) > (shown.best_strength, False) or shown.best < 0:
            shown.best, shown.best_strength = i, own
    return found


def _own(name: str, shown: dict[str, _Shown], calls: _Calls) -> tuple[float, str]:
    """What no other component explains of its evidence, and who explains most of it ('' for none)."""
    what = shown[name]
    callees, callers = calls.callees(name), calls.callers(name)
    below = max(((_explained(what, shown[c].kinds), c) for c in callees), default=(0.0, ""))
    loads = ((min(what.load, shown[c].load), c) for c in callers)
    above = max(((_reaches(load, what.trouble), c) for load, c in loads), default=(0.0, ""))
    load = what.load
    if not calls.entry(name):
        load = 0.0 if callers else load * _UNKNOWN_CALLERS
    left = (1 - _CERTAIN * below[0]) * (1 - _CERTAIN * above[0])
    most = max(below, above)
    told = most[0] > _EXPLAINED and what.trouble > load
    return max(what.trouble * left, load), most[1] if told else ""


def _explained(what: _Shown, by: dict[str, float]) -> float:
    """How far the trouble of a callee, by kind, explains that of its caller, 0..1."""
    own = max(what.kinds, key=lambda kind: what.kinds[kind], default="")
    return max(
        (
            _reaches(other, what.trouble) * (_ANOTHER_KIND if {own, kind} == _APART else 1.0)
            for kind, other in by.items()
        ),
        default=0.0,
    )


def _reaches(other: float, evidence: float) -> float:
    """How far one evidence is as strong as another, 0..1."""
    return min(1.0, other / min(evidence, _PLAIN)) if evidence > 0 else 0.0


def _because(measure: Measure, what: Evidence, by: str) -> str:
    """One sentence, in the order: what moved, how it goes with the symptom, what it does not explain."""
    if not what.baseline:
        return f"its {measure.kind} has no data before the change to compare with"
    if what.strength <= _NO_MOVE:
        return "nothing of it moved with the symptom"
    name = "series" if measure.kind == "other" else measure.kind
    said = [f"its {name} moved {abs(what.spreads):.3g} times its usual spread"]
    if not math.isnan(what.association):
        how = "as" if what.association >= _FOLLOWS else "only partly as"
        said.append(f"{how} the symptom does (correlation {what.association:.2f})")
    said += [f"{what.late} samples later"] if what.late else []
    if not math.isnan(what.share):
        said.append(f"which accounts for {what.share:.0%} of the symptom's excess")
    said += [f"and {by} explains most of it"] if by else []
    return ", ".join(said)
