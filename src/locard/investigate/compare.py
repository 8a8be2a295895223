"""What sets one member of a fleet apart from its peers: findings, readings, states and versions. Pure.

Method: a reading is compared over the members that have it by its distance from the median in units of
the median absolute deviation (Iglewicz and Hoaglin 1993), with a floor so that a fleet of equal values
does not make a speck of dust an outlier. A finding or a text is an outlier where few share it.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from locard.model.fleet import Difference
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from locard.model.finding import Finding
    from locard.model.fleet import Member
    from locard.model.investigation import Investigation

LEAST = 3  # members, below which none of them is the odd one out
_FEW = 0.34  # of the members: so many may share what sets them apart
_FAR = 3.5  # robust standard deviations
_MAD_TO_SIGMA = 1.4826
_FLOOR_SHARE = 0.1  # of the median, as the least spread
_FLOOR = {"1": 0.05}  # of shares; other units: none
_FEW_THINGS = 20  # one more of fewer is no share that means anything
_LEAST_RATIO = 2.0  # that an outlier differs from the median


def differences(members: Sequence[Member]) -> tuple[tuple[Difference, ...], int, str]:
    """What sets members apart, the strangest first; over how many; why not, where it was not done."""
    # A workload whose logs were read as a whole is no peer of its containers.
    members = [m for m in members if not m.workload]
    seen = [m for m in members if m.found is not None]
    if len(members) < LEAST:
        return (), 0, ""
    if len(seen) < LEAST:
        return (
            (),
            0,
            (
                f"{len(seen)} of {count(len(members), 'place')} could be looked at: nothing is said of"
                " the fleet, or of who differs in it"
            ),
        )
    found = [*_findings(seen), *_readings(seen), *_texts(seen)]
    found.sort(key=lambda d: (-d.score if math.isfinite(d.score) else -math.inf, d.member, d.what))
    return tuple(found), len(seen), ""


def _findings(seen: Sequence[Member]) -> Iterator[Difference]:
    """Findings of few members that the others lack though their layer was read whole."""
    by_rule: dict[str, dict[str, Finding]] = defaultdict(dict)
    for member in seen:
        for finding in _of(member).findings:
            by_rule[finding.rule].setdefault(member.ref, finding)
    for rule, of in by_rule.items():
        peers = sum(m.ref in of or _whole(_of(m), of.values()) for m in seen)
        if peers >= LEAST and len(of) <= _few(peers):
            for ref, finding in of.items():
                yield Difference(ref, rule, finding.title, math.inf, peers, len(of))


def _whole(found: Investigation, findings: Iterable[Finding]) -> bool:
    """Whether the layers of these findings were read: else it may have the same, unseen."""
    ran = {state.layer for state in found.layers if state.status == "ran"}
    return all(finding.layer in ran for finding in findings)


def _readings(seen: Sequence[Member]) -> Iterator[Difference]:
    values: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    fine: set[tuple[tuple[str, str, str], str]] = set()  # that nobody minds if they are low
    for member in seen:
        for _, readings in _of(member).readings():
            for reading in readings.readings:
                if reading.verdict != "unknown" and math.isfinite(reading.value):
                    few = reading.unit.startswith("{") and (reading.limit or 0) < _FEW_THINGS
                    limit = None if few else reading.limit
                    share = reading.value / limit if limit else reading.value
                    unit = "1" if limit else reading.unit
                    key = _key(reading.name, reading.subject, unit)
                    values[key][member.ref] = share
                    if reading.verdict == "ok" and reading.of != "target":
                        fine.add((key, member.ref))
    for key, of in values.items():
        if len(of) >= LEAST:
            name, subject, unit = key
            for item in _far_out(f"{name} ({subject})", unit, of):
                low = (item.value or 0.0) < (item.typical or 0.0)
                if not (low and (key, item.member) in fine):
                    yield item


def _key(name: str, subject: str, unit: str) -> tuple[str, str, str]:
    """Pids differ from place to place: what is a process's is compared under one name."""
    return name, "process" if subject.startswith("pid ") else subject, unit


def _far_out(what: str, unit: str, of: dict[str, float]) -> Iterator[Difference]:
    middle = statistics.median(of.values())
    mad = statistics.median(abs(v - middle) for v in of.values()) * _MAD_TO_SIGMA
    # What is counted scatters by its root, whatever the members are like.
    counted = math.sqrt(abs(middle) + 1) if unit.startswith("{") else 0.0
    spread = max(mad, abs(middle) * _FLOOR_SHARE, _FLOOR.get(unit, 0.0), counted)
    if not spread:
        spread = max(map(abs, of.values()), default=0.0) * _FLOOR_SHARE or 1.0
    far = {ref: (v - middle) / spread for ref, v in of.items()}
    out = {ref: z for ref, z in far.items() if abs(z) > _FAR and _differs(of[ref], middle)}
    if len(out) > _few(len(of)):
        return
    for ref, z in out.items():
        says = f"{what} is {_number(of[ref], unit)}, in the others {_number(middle, unit)}"
        yield Difference(ref, what, says, abs(z), len(of), len(out), of[ref], middle, unit)


def _differs(value: float, middle: float) -> bool:
    low, high = sorted((abs(value), abs(middle)))
    return high > 0 and (low == 0 or high / low >= _LEAST_RATIO)


def _number(value: float, unit: str) -> str:
    if unit == "1":
        return f"{value:.0%}"
    return f"{value:,.4g} {unit.strip('{}')}"


def _texts(seen: Sequence[Member]) -> Iterator[Difference]:
    """States and versions: what most have, and who has something else."""
    for what, of in _facts(seen).items():
        if len(of) < LEAST:
            continue
        (common, times), *rest = Counter(of.values()).most_common()
        if not rest or times <= len(of) / 2:
            continue
        for ref, value in of.items():
            shared = sum(v == value for v in of.values())
            if value != common and shared <= _few(len(of)):
                says = f"{what} is {value}, in {count(times, 'other')} {common}"
                yield Difference(ref, what, says, _FAR * times / shared, len(of), shared)


def _facts(seen: Iterable[Member]) -> dict[str, dict[str, str]]:
    facts: dict[str, dict[str, str]] = defaultdict(dict)
    for member in seen:
        found = _of(member)
        for name, value in (
            (("kernel", found.ground.kernel), ("clock", _clock(found))) if found.ground else ()
        ):
            if value:
                facts[name][member.ref] = value
        for _, readings in found.readings():
            for reading in readings.readings:
                if reading.limit:
                    name, subject, unit = _key(reading.name, reading.subject, reading.unit)
                    of = f"the limit of {name} ({subject})"
                    facts[of].setdefault(member.ref, _number(reading.limit, unit))
        if found.target.processes:
            facts[_whose(member, "command")][member.ref] = " ".join(
                found.target.processes[0].cmdline[:6]
            )
    return facts


def _whose(member: Member, what: str) -> str:
    """Containers of a pod run different things: what is compared is that of the same container."""
    kind, *names = member.place.split("/")
    container = names[1] if kind == "pod" and len(names) > 1 else ""
    return f"{what} of {container}" if container else what


def _clock(found: Investigation) -> str:
    ahead = found.ground.clock_ahead_s if found.ground else None
    within = (found.ground.clock_within_s or 0.0) if found.ground else 0.0
    if ahead is None:
        return ""
    if abs(ahead) <= 1.0 + within:
        return "right"
    return f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"


def _few(members: int) -> int:
    return max(1, math.floor(members * _FEW)) if members >= LEAST else 0


def _of(member: Member) -> Investigation:
    assert member.found is not None  # noqa: S101 - only who was seen is compared
    return member.found
