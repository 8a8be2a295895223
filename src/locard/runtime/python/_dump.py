"""One dump of a process, as our reader or py-spy prints it: its threads as facts, with the kernel's word of that moment."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from locard.model import thread_records
from locard.model.facts import Frame, SourceLine, ThreadStack, WaitedLock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locard.model.evidence import Output


def dumped(output: Output) -> int | None:
    """The process that an output is a dump of, None if it is none."""
    last = output.argv[-1] if output.argv else ""
    return int(last) if last.isdigit() and "dump" in output.argv else None


def around(outputs: Sequence[Output], at: int) -> tuple[Output | None, Output | None]:
    """What the kernel said before and after a dump."""
    before = next((o for o in reversed(outputs[:at]) if "dump" not in o.argv), None)
    after = next((o for o in outputs[at:] if "dump" not in o.argv), None)
    return before, after


def inner_ids(
    pid: int, dump: Output, around: tuple[Output | None, Output | None]
) -> dict[int, int]:
    """Thread ids as the process's own pid namespace numbers them -> as this machine does; empty where they agree.

    Our own reader numbers them as this machine does, py-spy as the process does.
    """
    if dump.program != "py-spy":
        return {}
    return {
        r["nstid"]: r["tid"]
        for output in around
        for r in thread_records.records(output.text if output else "")
        if r.get("pid") == pid and "tid" in r and "nstid" in r
    }


def joined(
    pid: int,
    threads: list[ThreadStack],
    inner: dict[int, int],
    around: tuple[Output | None, Output | None],
) -> Iterator[ThreadStack]:
    """The stacks with this machine's thread ids, and the kernel's word where it is of that moment."""
    then, now = (
        {r["tid"]: r for r in thread_records.records(o.text if o else "") if r.get("pid") == pid
         and "tid" in r}
        for o in around
    )  # fmt: skip
    for thread in threads:
        tid = thread.tid if thread.tid is None else inner.get(thread.tid, thread.tid)
        lock = thread.lock
        if lock is not None and lock.owner is not None:
            lock = replace(lock, owner=inner.get(lock.owner, lock.owner))
        before, after = then.get(tid), now.get(tid)
        if before is None or after is None:
            known = tid if tid in now or not inner else None
            yield replace(thread, tid=known, active=thread.active and not inner, lock=lock)
            continue
        state = None
        if thread_records.unmoved(before, after):
            state = thread_records.state(after, thread.round)
        both = before.get("state") == after.get("state") == "R"
        active = both if inner else thread.active and state is None
        yield replace(thread, tid=tid, active=active, kernel=state, lock=lock)


def threads(text: str, at_round: int) -> tuple[list[ThreadStack], int]:
    """The stacks of a dump, and how many of it tore."""
    data = [i for i in items(text) if "greenlet" not in i and "frames" in i]
    whole = [i for i in data if not i.get("torn")]
    return [t for i in whole if (t := _thread(i, at_round))], len(data) - len(whole)


def items(text: str) -> list[dict[str, Any]]:
    """What a dump holds; our own reader's frames stand in a table of their own."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(data, list):
        return []
    found = [item for item in data if isinstance(item, dict)]
    table = next((i["table"] for i in found if isinstance(i.get("table"), list)), None)
    if table is None:
        return found
    return [
        {**i, "frames": [table[n] for n in _numbers(i, len(table))]} if "frames" in i else i
        for i in found
    ]


def sources(items_of_dump: list[dict[str, Any]], pid: int) -> Iterator[SourceLine]:
    """The source lines that came with the frames of a dump."""
    seen = set()
    for item in items_of_dump:
        for frame in item.get("frames") or ():
            told = frame.get("source") if isinstance(frame, dict) else None
            if not isinstance(told, dict):
                continue
            key = str(frame.get("filename")), int(frame.get("line") or 0)
            if key not in seen:
                seen.add(key)
                yield SourceLine(pid, *key, str(told.get("text", "")), str(told.get("note") or ""))


def _numbers(item: dict[str, Any], size: int) -> list[int]:
    """The numbers of an item's frames; none where one does not stand in the table."""
    numbers = item["frames"]
    fit = isinstance(numbers, list) and all(isinstance(n, int) and 0 <= n < size for n in numbers)
    return numbers if fit else []


def _thread(item: Any, at_round: int) -> ThreadStack | None:
    try:
        tid = item.get("os_thread_id")
        # Up to Python 3.10 py-spy cannot know a thread's id without stopping it, and then takes
        # every thread for running. Who has the GIL runs for sure; the rest mostly waits.
        active = item["active"] if tid is not None else item.get("owns_gil")
        return ThreadStack(
            round=at_round,
            pid=int(item["pid"]),
            tid=int(tid) if tid is not None else None,
            thread=str(item.get("thread_name") or ""),
            active=bool(active),
            frames=tuple(
                _frame(str(f["name"]), str(f["filename"]), int(f["line"])) for f in item["frames"]
            ),
            lock=_lock(item.get("lock")),
            has_gil=bool(item.get("owns_gil")),
            collects=bool(item.get("gc")),
            variables=tuple(
                tuple((str(name), str(value)) for name, value in frame.items())
                for frame in item.get("locals") or ()
            ),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


@functools.lru_cache(maxsize=8192)  # a thousand threads stand in the same frames, look after look
def _frame(name: str, file: str, line: int) -> Frame:
    return Frame(name, file, line)


def _lock(item: Any) -> WaitedLock | None:
    """The lock that our own reader found; nobody has one whose owner is 0."""
    if not isinstance(item, dict) or item.get("owner") == 0:
        return None
    owner = item.get("owner_tid")
    recorded = item.get("owner") is not None
    return WaitedLock(
        kind=str(item["kind"]),
        name=str(item.get("name") or ""),
        address=int(item["at"]),
        sure=bool(item["sure"]),
        recorded=recorded,
        owner=int(owner) if owner else None,
        orphaned=recorded and item.get("owner_here") is False,
    )
