"""Waits for Python's global interpreter lock: how long each thread waits before it may run.

Shows: by thread, how often and how long it waited for the GIL, and the share of the time; waits that had
  not ended.
How: CPython waits for the GIL in pthread_cond_timedwait and for nothing else that way. An eBPF program at
  its entry learns from which condition variable; the futex call on it is the wait. It works on stripped
  builds and attaches to no return.
Impact: samples. About 1 us a wait, and 0.1 us each system call of the target.
Limits: a wait that ended without a system call is not counted: it took no time. Which thread held the GIL
  meanwhile is not told (locard waits, locard probe stacks). Free-threaded builds have none to wait for. A page
  [uprobes] stays in each process until it ends.
Source: CPython Python/ceval_gil.c (take_gil); futex(2).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing
from locard.kernel._observing import latencies
from locard.model.evidence import Output
from locard.model.kernel_facts import NotObserved, Row, Trace
from locard.model.kernel_words import duration
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 1000.0  # of a wait's slice, measured: bench/RESULTS.md, kernel

COMMANDS = (
    _observing.template(
        "gil_wait",
        "py-spy top --gil --pid {pid}",
        own="kernel/_functions_far.py+kernel/_attacher_far.py+kernel/_gil_wait_far.py",
        residue=(_observing.PROBE_PAGE,),
    ),
)


@dataclass(frozen=True, slots=True)
class Params:
    """How long."""

    for_s: float = _observing.for_param()
    max_overhead: float = _observing.overhead_param()


PARAMS = Params


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies_to_programs(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    settings = {
        "rows": {"open_waits": "open_waits_row"},
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why there was nothing to attach to."""
    facts: list[Fact] = []
    for output in outputs:
        told = _observing.told(output)
        refused = _observing.refusal("gil-wait", told)
        if refused is not None:
            facts.append(refused)
        elif told.began and told.end and not any("python" in r for r in told.others):
            facts.append(
                NotObserved(
                    "gil-wait",
                    "no process of the target has a CPython in it (PyEval_RestoreThread is not exported by any"
                    " file that is mapped)",
                    "",
                )
            )
        elif told.began:
            facts.append(_fact(told))
    return tuple(facts)


def _fact(told: Told) -> Trace:
    rows = _rows(told)
    slots: dict[str, int] = {}
    for row in told.map("gil"):
        _observing.add_slots(slots, row.get("slots"))
    return Trace(
        program="gil-wait",
        says=_says(rows, told.seconds),
        observed=told.observed(each_ns=_EACH_NS),
        rows=rows,
        histograms=(_observing.histogram("waits for the GIL", slots),) if slots else (),
        blocked=_blocked(told),
    )


def _rows(told: Told) -> tuple[Row, ...]:
    rows = []
    for row in told.map("gil"):
        tid = row.get("key")
        known = told.threads.get(tid, {}) if isinstance(tid, int) else {}
        share = row["total_ns"] / 1e9 / told.seconds if told.seconds else 0.0
        rows.append(
            Row(
                "GIL",
                thread=told.thread(tid),
                pid=known.get("pid"),
                tid=tid,
                count=row["count"],
                detail=f"{share:.0%} of the time",
                **latencies(row),
            )
        )
    return _observing.ranked(rows)


def _blocked(told: Told) -> tuple[Row, ...]:
    end = told.end.get("end")
    rows = []
    for row in told.iterators.get("open_waits", ()):
        running = end - row["began"] if isinstance(end, int) and row["began"] else 0
        known: dict[str, Any] = told.threads.get(row["tid"], {})
        rows.append(
            Row("GIL", thread=told.thread(row["tid"]), pid=known.get("pid"), tid=row["tid"], count=1,
                total_s=round((row["sum"] + running) / 1e9, 9), detail="has not ended")
        )  # fmt: skip
    return _observing.ranked(rows)


def _says(rows: tuple[Row, ...], seconds: float) -> str:
    if not rows:
        return f"no thread waited for the GIL in {seconds:.1f} s"
    waits, total = sum(r.count for r in rows), sum(r.total_s or 0.0 for r in rows)
    top = rows[0]
    longest = max(r.max_s or 0.0 for r in rows)
    return (
        f"{count(len(rows), 'thread')} waited {duration(total)} for the GIL in {seconds:.1f} s"
        f" ({count(waits, 'wait')}, the longest {duration(longest)}); most: {top.thread or 'thread'}"
        f" {top.tid}, {top.detail}"
    )


_TOLD = (
    {"began": 1, "attached": ["follow", "call_ends"], "missing": {}, "kernel": "6.18", "machine": "x86_64"},
    {"iterator": "open_waits", "began": 4990000000, "sum": 5000000, "tid": 9, "tgid": 7},
    {"map": "gil", "key": ["key"], "value": ["count", "total_ns", "max_ns", "slots"],
     "rows": [[8, 400, 3000000000, 15000000, {"169": 400}], [9, 100, 500000000, 9000000, {"160": 100}]]},
    {"python": 7, "file": "/usr/bin/python3.11"},
    {"thread": 8, "pid": 7, "comm": "worker"},
    {"thread": 9, "pid": 7, "comm": "python3"},
    {"left": 7, "pages": ["[uprobes]"], "before": []},
    {"end": 5000000000, "took": 5.0, "why": "", "hits": 900, "cost_s": 0.1, "losses": {}},
)  # fmt: skip
SAMPLES = (
    Sample(
        (Output(("python3",), b"".join(json.dumps(row).encode() + b"\n" for row in _TOLD)),),
        (
            "2 threads waited 3.50 s for the GIL in 5.0 s (500 waits, the longest 15.0 ms)",
            "most: worker 8, 60% of the time",
            "has not ended",
            "[uprobes]",
        ),
    ),
    Sample(
        (
            Output(
                ("python3",),
                b'{"began": 1}\n{"no_python": 7}\n{"end": 5, "took": 5.0, "why": "", "losses": {}}\n',
            ),
        ),
        ("has a CPython in it",),
    ),
)
