"""Many targets on one screen: who differs first, then each of them on a line."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from locard.model.finding import Role, Severity
from locard.model.place import Place, cluster_flags
from locard.model.wording import count, shorten
from locard.report.times import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.fleet import Difference, Fleet, Member
    from locard.model.investigation import Investigation

_SHOWN = 12  # differences
_WIDE = 110
_QUOTED = re.compile(r"(?<!\w)'[^']{1,200}'|\"[^\"]{1,200}\"")
_NAMED = 6  # targets with one reason
_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def screen(fleet: Fleet) -> Iterator[str]:
    """The lines of the screen, each without an end."""
    seen = [m for m in fleet.members if m.found is not None]
    missed = [m for m in fleet.members if m.found is None]
    yield _head(fleet, len(seen))
    yield ""
    yield from _differences(fleet)
    yield from _rows(fleet, seen)
    yield from _missed(fleet, missed)
    for what in fleet.left:
        yield f"left behind {what}"
    if fleet.unrecorded:
        yield f"record: {fleet.incident}, NOT recorded: {fleet.unrecorded}"
    elif fleet.ledger:
        yield f"record: {fleet.incident} ({fleet.ledger})"
    yield f"next: {_next(fleet, seen)}"


def _missed(fleet: Fleet, missed: list[Member]) -> Iterator[str]:
    """Who could not be looked at, by reason: each reason once, with all that have it."""
    if not missed:
        return
    yield f"not looked at ({len(missed)} of {len(fleet.members)})"
    by_reason: dict[tuple[str, str], list[Member]] = {}
    for member in missed:
        key = (_common(_reason(member.why), member), _common(member.next_step, member))
        by_reason.setdefault(key, []).append(member)
    for (common, common_next), members in by_reason.items():
        refs = [m.ref for m in members]
        more = f" and {len(refs) - _NAMED} more" if len(refs) > _NAMED else ""
        alone = members[0] if len(members) == 1 else None
        why = _reason(alone.why) if alone else common
        next_step = alone.next_step if alone else common_next
        yield f"  {', '.join(refs[:_NAMED])}{more}"
        yield f"      {shorten(told(why, None), _WIDE)}"
        if next_step:
            yield f"      next: {shorten(next_step, _WIDE)}"
    yield ""


def _head(fleet: Fleet, seen: int) -> str:
    whole = len(fleet.members)
    if seen == whole:
        return f"{count(whole, 'target')} looked at"
    return f"{seen} of {count(whole, 'target')} looked at; of the others nothing is known"


def _differences(fleet: Fleet) -> Iterator[str]:
    if fleet.not_compared:
        yield fleet.not_compared
        yield ""
        return
    if not fleet.compared:
        return
    if not fleet.differences:
        yield (
            f"no outlier among the {fleet.compared} that were compared: findings, readings of the"
            " checklist, kernel, clock and command are alike, as far as they were read"
        )
        yield ""
        return
    yield f"who differs from its peers ({fleet.compared} compared)"
    by_member: dict[str, list[Difference]] = {}
    for item in fleet.differences:
        by_member.setdefault(item.member, []).append(item)
    shown = 0
    for ref, items in by_member.items():
        for number, item in enumerate(items[:4]):
            peers = "alone" if item.shared == 1 else f"with {item.shared - 1} more"
            yield f"  {ref if not number else '':<20} {shorten(told(item.says, None), _WIDE)} ({peers})"
            shown += 1
        if len(items) > 4:  # noqa: PLR2004 - as many as are shown
            yield f"  {'':<20} and {len(items) - 4} more"
        if shown >= _SHOWN:
            yield f"  and {len(fleet.differences) - shown} more, in -o json"
            break
    yield ""


def _rows(fleet: Fleet, seen: list[Member]) -> Iterator[str]:
    odd = {d.member for d in fleet.differences}
    for member in sorted(seen, key=lambda m: m.ref not in odd):
        yield "  " + member_line(member)
    if seen:
        yield ""


def member_line(member: Member) -> str:
    """One target on one line: what was found at it, or why nothing could be."""
    if member.found is None:
        return f"{member.ref:<20} not looked at: {shorten(told(_reason(member.why), None), _WIDE)}"
    found = member.found
    partial = "  [partial]" if found.partial else ""
    return f"{member.ref:<20} {_state(found)}{partial}"


def _state(found: Investigation) -> str:
    host = found.target.kind == "host"
    mine = [f for f in found.findings if host or f.role is not Role.CONTEXT]
    if not mine:
        read = sum(1 for layer in found.layers if layer.status in {"ran", "partial"})
        return f"nothing found in what was read ({count(read, 'layer')}, {count(len(found.evidence), 'answer')})"
    mine.sort(key=lambda f: _RANK[f.severity])
    more = f"; and {len(mine) - 1} more" if len(mine) > 1 else ""
    return f"{mine[0].severity.value}: {mine[0].rule}: {shorten(told(mine[0].title, None), _WIDE)}{more}"


def _reason(why: str) -> str:
    """Why a place was not looked at, alike for all of a kind: without the client's own words."""
    return why.partition("; ssh said: ")[0]


def _common(text: str, member: Member) -> str:
    """A reason as it is the same for many: without the name of the host, and what was quoted of it."""
    name = member.place.partition("/")[2].rpartition("@")[2]
    bare = re.sub(rf"\b{re.escape(name)}\b", "NAME", text) if name else text
    return _QUOTED.sub("…", bare)


def _next(fleet: Fleet, seen: list[Member]) -> str:
    if fleet.differences:
        odd = next(m for m in fleet.members if m.ref == fleet.differences[0].member)
        return _asking(odd)
    worst = [m for m in seen if m.found and m.found.findings]
    if worst:
        return _asking(worst[0])
    if seen and fleet.unrecorded:
        return "make room for the record, and ask again"
    return "locard incident show last" if seen else "mend the way to one of them, and ask again"


def _asking(member: Member) -> str:
    """What asks further about one of them: a workload's own logs, or a whole investigation."""
    kind, _, rest = member.place.partition("/")
    if {"port", "key"} & dict(member.options).keys():
        return "locard incident show last"  # no word for a host has these
    if kind in {"host", "container"}:
        return f"locard investigate {_target(member)}"
    name, _, container = rest.partition("/")
    flags = (*cluster_flags(member.options), *(("-c", container) if container else ()))
    verb = "logs" if member.workload else "investigate"
    return shlex.join(("locard", verb, f"{kind}/{name}", *flags))


def _target(member: Member) -> str:
    typed = Place(member.place, options=member.options).typed
    ref, _, on = member.ref.partition(" on ")
    words = [ref, "--on", typed] if on else [typed if ref == member.place else ref]
    if not on and not member.ref.startswith("host/") and not member.place.startswith("host/local"):
        words += ["--on", member.place] if member.place.startswith(("host/", "container/")) else []
    return shlex.join(words)
