"""A limit of the cgroup holds I/O back: calls are slow while the device is fast.

Pattern: writes or reads wait for their turn under blkio.throttle or io.max before a request exists; the
  disk's own latency looks perfect, and so does fsync.
Evidence: the limit in force for a device; calls on its files that take long; the device's own time.
Against: a device that is slow itself.
Next: raise the limit, or write less often; what else runs in that cgroup shares it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.kernel_words import duration
from locard.rules import _kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case, Finding
    from locard.model.kernel_facts import Row

_SLOW_S = 0.02  # of a call on average
_FAST_S = 0.01  # of the device on average
_LEAST = 3
_ON = re.compile(r"\bon (?:/dev/)?([\w-]+)$")
_MORE = re.compile(r", on (?:/dev/)?([\w-]+)")


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each device with a limit, slow calls and a fast answer."""
    for evidence, trace in _kernel.traces(case, "disk-latency"):
        for limit in (r for r in trace.rows if r.result == "limit"):
            own = [r for r in trace.rows if r.what == limit.what and r.result == "ok"]
            number, took = sum(r.count for r in own), sum(r.total_s or 0.0 for r in own)
            if number and took >= _FAST_S * number:
                continue
            slow = [(e, r) for e, r in _slow(case) if _device(r) == limit.what]
            if not slow:
                continue
            at, worst = max(slow, key=lambda item: item[1].total_s or 0.0)
            mean = (worst.total_s or 0.0) / worst.count
            device = (
                f"{limit.what} itself answers in {duration(took / number)} on average"
                if number
                else f"no request reached {limit.what} meanwhile"
            )
            call = worst.result if worst.result != "ok" else worst.detail.partition(";")[0]
            yield _kernel.finding(
                "io-limited",
                case,
                f"The cgroup's I/O limit holds {call} on {worst.what} back: {duration(mean)} each",
                [
                    _kernel.support(evidence, f"in force: {limit.detail}; {device}"),
                    _kernel.support(
                        at,
                        f"{worst.count} calls of {call} on {worst.what} took {duration(mean)} on average",
                    ),
                ],
                values=(("device", limit.what), ("file", worst.what)),
                next_commands=(f"cat /proc/{worst.pid}/cgroup",) if worst.pid else (),
            )


def _slow(case: Case) -> Iterator[tuple[Evidence, Row]]:
    """Calls on files that are slow on average, by whichever program counted them."""
    rows = [(e, r) for e, found in _kernel.calls(case) for r in found.files]
    for program in ("fsync", "file-latency"):
        rows += [(e, r) for e, t in _kernel.traces(case, program) for r in t.rows]
    for evidence, row in rows:
        if row.count >= _LEAST and (row.total_s or 0.0) >= _SLOW_S * row.count:
            yield evidence, row


def _device(row: Row) -> str:
    found = _ON.search(row.detail) or _MORE.search(row.detail)
    return found[1] if found else ""
