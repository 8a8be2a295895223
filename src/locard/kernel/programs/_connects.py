"""What the eBPF program tcp_connect_latency counted, as rows by peer and as a list of attempts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from locard.kernel import syscall_table
from locard.kernel.programs._sums import Sums
from locard.model.kernel_facts import Row
from locard.model.kernel_words import duration
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locard.kernel._observing import Told

GAVE_UP = "gave up"
WAITS = "no answer yet"
OK = "ok"
_GAVE_UP_CODE = 1000
_SHOWN = 4


def settings(port: int, *, each: bool) -> dict[str, Any]:
    """What the program is given."""
    return {
        "set": {"only_port": port, "tell_each": int(each)},
        "attach": ["state", "again", "begin", "end"],
        "rings": ["each"],
    }


def result(code: Any) -> str:
    """ok, "gave up", or the errno's name."""
    if code == 0:
        return OK
    return GAVE_UP if code == _GAVE_UP_CODE else syscall_table.error(int(code))


def peers(told: Told) -> list[Row]:
    """By peer and result, the failed first, then by time."""
    every: dict[tuple[str, str], tuple[Sums, list[int]]] = {}
    for row in told.map("peers"):
        try:
            key = (str(row["ends"]["far"]), result(row["error"]))
            sums, again = every.setdefault(key, (Sums(), []))
            sums.add(row["times"])
            again.append(int(row["retransmits"]))
        except (KeyError, TypeError, ValueError):
            continue
    rows = [
        Row(
            far,
            came,
            count=sums.count,
            errors=None if came == OK else sums.count,
            detail=_detail(came, sum(again)),
            **sums.fields,
        )
        for (far, came), (sums, again) in every.items()
    ]
    rows += _waiting(told)
    return sorted(rows, key=lambda r: (r.result == OK, -(r.total_s or 0.0), r.what))


def _waiting(told: Told) -> list[Row]:
    """The attempts that had no answer when the observation ended, by peer."""
    end = told.end.get("end")
    waits: dict[str, list[tuple[float, int]]] = {}
    for row in told.map("attempts"):
        if isinstance(end, int) and isinstance(row.get("ends"), dict):
            took = max(0.0, (end - int(row.get("began", end))) / 1e9)
            waits.setdefault(str(row["ends"].get("far")), []).append(
                (took, int(row.get("retransmits", 0)))
            )
    return [
        Row(
            far,
            WAITS,
            count=len(every),
            total_s=round(sum(t for t, _ in every), 6),
            min_s=round(min(t for t, _ in every), 6),
            max_s=round(max(t for t, _ in every), 6),
            detail=_detail(WAITS, sum(n for _, n in every)),
        )
        for far, every in waits.items()
    ]


def _detail(came: str, again: int) -> str:
    words = {
        GAVE_UP: "closed by the target before an answer came: no error of the kernel",
        WAITS: "still open when the observation ended",
    }.get(came, "")
    more = f"{count(again, 'SYN')} sent again" if again else ""
    return ", ".join(filter(None, (words, more)))


def says(rows: Sequence[Row], seconds: float) -> str:
    """The headline: how many, to how many peers, what failed most."""
    total = sum(r.count for r in rows)
    if not total:
        return f"no TCP connect in {seconds:.1f} s"
    far = len({r.what for r in rows})
    words = f"{count(total, 'TCP connect')} to {count(far, 'peer')} in {seconds:.1f} s"
    bad = [r for r in rows if r.result != OK]
    if not bad:
        slowest = max(rows, key=lambda r: r.max_s or 0.0)
        return f"{words}, all ok; slowest {duration(slowest.max_s)}, to {slowest.what}"
    named = [_failed(r) for r in bad]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return (
        f"{words}, {sum(r.count for r in bad):,} without success: {', '.join(named[:_SHOWN])}{more}"
    )


def _failed(row: Row) -> str:
    if row.result in {GAVE_UP, WAITS}:
        typical = row.p50_s if row.p50_s is not None else row.max_s
        return f"{row.count:,} x {row.result} after {duration(typical)}, no answer, at {row.what}".replace(
            f"{WAITS} after", "waiting for"
        )
    return f"{row.count:,} x {row.result} at {row.what}"


# What an errno means to who is on call; any other stands under its own name.
_MEANS = {
    "ECONNREFUSED": "refused",
    "ETIMEDOUT": "timed out",
    "ENETUNREACH": "unreachable",
    "EHOSTUNREACH": "unreachable",
    "ENETDOWN": "unreachable",
    "EHOSTDOWN": "unreachable",
    WAITS: "no answer",
}
_ORDER = (OK, "refused", "timed out", "unreachable", GAVE_UP, "no answer")


def by_peer(rows: Sequence[Row]) -> tuple[Row, ...]:
    """One row a peer of the rows by peer and result: what came of its connects, how fast those were that succeeded."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.what, []).append(row)
    found = [_peer(far, parts) for far, parts in groups.items()]
    return tuple(sorted(found, key=lambda r: (-(r.errors or 0), -r.count, r.what)))


def _peer(far: str, parts: list[Row]) -> Row:
    came: Counter[str] = Counter()
    for part in parts:
        came[_MEANS.get(part.result, part.result)] += part.count
    ok = next((p for p in parts if p.result == OK), None)
    words = [
        f"{p.result} after {duration(p.p50_s if p.p50_s is not None else p.max_s)}"
        for p in parts
        if p.result in {GAVE_UP, "ETIMEDOUT"}
    ]
    again = [p.detail for p in parts if "sent again" in p.detail and p.result in {OK, "ETIMEDOUT"}]
    return Row(
        far,
        count=came.total(),
        errors=came.total() - came[OK],
        p50_s=ok.p50_s if ok else None,
        max_s=ok.max_s if ok else None,
        detail=", ".join((*words, *again)),
        outcomes=tuple(
            sorted(came.items(), key=lambda c: _ORDER.index(c[0]) if c[0] in _ORDER else 99)
        ),
    )


def attempts(told: Told) -> list[Row]:
    """Each attempt: who, to whom, when."""
    began, end = told.began.get("began"), told.end.get("end")
    events = [
        (int(e["began"]), int(e["took_ns"]), result(e["error"]), e)
        for e in told.events.get("each", ())
        if isinstance(e.get("ends"), dict)
    ]
    if isinstance(end, int):
        events += [
            (int(e["began"]), end - int(e["began"]), WAITS, e)
            for e in told.map("attempts")
            if isinstance(e.get("ends"), dict)
        ]
    rows = []
    for at, took, came, event in sorted(events, key=lambda e: e[0]):
        local = str(event["ends"].get("local", ""))
        words = [f"at {(at - began) / 1e9:.3f} s"] if isinstance(began, int) else []
        words += [f"from {local}"] if local and not local.endswith(":0") else []
        words += (
            [f"{count(event['retransmits'], 'SYN')} sent again"] if event.get("retransmits") else []
        )
        rows.append(
            Row(
                str(event["ends"].get("far", "")),
                came,
                thread=told.thread(event.get("tid")),
                pid=event.get("tgid"),
                tid=event.get("tid"),
                count=1,
                errors=None if came == OK else 1,
                total_s=round(took / 1e9, 9),
                detail=", ".join(words),
            )
        )
    return rows


def listing(rows: Sequence[Row], seconds: float) -> str:
    """The headline of the list: how many, by whom, to whom most."""
    if not rows:
        return f"no TCP connect in {seconds:.1f} s"
    far, n = Counter(r.what for r in rows).most_common(1)[0]
    threads = len({r.tid for r in rows})
    bad = sum(r.result != OK for r in rows)
    return (
        f"{count(len(rows), 'TCP connect')} in {seconds:.1f} s by {count(threads, 'thread')}, "
        f"most to {far} ({n:,}), {bad:,} without success"
    )
