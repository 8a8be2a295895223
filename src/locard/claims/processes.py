"""What the threads of the target do, as claims: the lead of most busy ones, the rest, the idle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.model.claim import Claim, figures
from locard.model.facts import Peers, ProcessConditions, ProcessFamily, StackSamples, ThreadStates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.claims.record import Record
    from locard.model.claim import Slot
    from locard.model.investigation import Activity

_SHOWN = 3
_WORTH_A_LINE = 0.05  # of the busy observations


def proposed(record: Record) -> Iterator[Claim]:
    """What most busy threads do first; where none is busy, how many are known to be idle."""
    cites = sources(record)
    yield from conditions(record)
    yield from ended(record)
    busy = _busy(record)
    if not busy:
        if record.activities:
            yield _none_busy(record, cites)
        return
    for n, activity in enumerate(busy[:_SHOWN]):
        kind = "threads_do" if n else "threads_lead"
        yield _activity(record, "doing", kind, activity, cites)
    rest = sum(a.share for a in busy[_SHOWN:])
    if rest > _WORTH_A_LINE:
        yield Claim("doing", "threads_rest", "busy threads", figures(share=rest), cites)


def lead(record: Record) -> Claim | None:
    """What most busy threads do, as a verdict; None where no thread was seen busy."""
    busy = _busy(record)
    return _activity(record, "verdict", "threads_lead", busy[0], sources(record)) if busy else None


def conditions(record: Record) -> Iterator[Claim]:
    """Processes that cannot serve as they are: this comes before all else."""
    for evidence, fact in record.case.facts(ProcessConditions):
        for one in fact.conditions:
            yield Claim(
                "state",
                "process_condition",
                f"{one.name} (pid {one.pid})",
                figures(condition=one.condition, threads=one.threads, by=one.by),
                (evidence.id,),
            )


def ended(record: Record) -> Iterator[Claim]:
    """That the process which was asked for is gone: what was read of it is of its last moments."""
    root = record.target.processes[0] if record.target and record.target.processes else None
    for evidence, fact in record.case.facts(ProcessFamily):
        for one in fact.changes:
            if root is not None and one.change == "ended" and one.pid == root.pid:
                named = f"{one.name} (pid {one.pid})"
                yield Claim("state", "target_ended", named, figures(at=one.at), (evidence.id,))


def sources(record: Record) -> tuple[str, ...]:
    """The evidence that says what threads do."""
    return tuple(
        e.id
        for e in record.evidence
        if any(isinstance(f, StackSamples | ThreadStates) for f in e.facts)
    )


def peer_named(record: Record, address: str) -> str:
    """The address with all that is known of who is there."""
    known = (f.named(address) for _, f in record.case.facts(Peers))
    return next((p.words for p in known if p), address)


def _busy(record: Record) -> list[Activity]:
    """Busy activities, those of one function that do the same as one."""
    merged: dict[tuple[str, str], Activity] = {}
    for one in record.activities:
        if one.work != "busy":
            continue
        key = (one.what, function_of(one.where) if one.what == "runs" else one.where)
        same = merged.get(key)
        merged[key] = one if same is None else _together(same, one)
    return sorted(merged.values(), key=lambda a: -a.observations)


def _together(one: Activity, other: Activity) -> Activity:
    return replace(
        one,
        where=f"{function_of(one.where)} ({one.where.partition(' (')[2].rpartition(':')[0]})",
        observations=one.observations + other.observations,
        share=one.share + other.share,
        pids=tuple(sorted({*one.pids, *other.pids})),
    )


def function_of(where: str) -> str:
    """The function that was written: `render` for `render.<locals>.<genexpr> (app.py:5)`."""
    return where.partition(" (")[0].partition(".<locals>")[0]


def _activity(
    record: Record, slot: Slot, kind: str, activity: Activity, cites: tuple[str, ...]
) -> Claim:
    what = activity.what
    if activity.peer:
        what = what.replace(activity.peer, peer_named(record, activity.peer))
    return Claim(
        slot,
        kind,
        what,
        figures(
            share=activity.share,
            observations=activity.observations,
            of=sum(a.observations for a in record.activities if a.work == "busy"),
            where=activity.where,
            processes=len(activity.pids),
            peer=activity.peer or "",
        ),
        cites,
    )


def _none_busy(record: Record, cites: tuple[str, ...]) -> Claim:
    of = sum(a.observations for a in record.activities)
    open_ = [a for a in record.activities if a.work == "unknown"]
    most = max(open_, key=lambda a: a.observations, default=None)
    if most is not None and 2 * most.observations < sum(a.observations for a in open_):
        most = None  # no one wait is most of them
    values = figures(
        observations=of,
        unknown=sum(a.observations for a in open_),
        most=f"{most.what}, in {function_of(most.where) or most.where}" if most else None,
        most_observations=most.observations if most else None,
    )
    return Claim("doing", "every_thread_idle", "every thread", values, cites)
