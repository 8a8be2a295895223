"""First pass over the logs: what changed and when, who is affected, what the bad requests share.

Shows: errors and latency over time, the shape of a change and its onset as an interval, who is
  affected, who is confirmed not to be and who had too few requests to say, the field values that
  the bad requests share, their messages, and what the log cannot answer.
How: `locard logs SOURCE -o json` in a process of its own on the operator's machine, which reads the
  records into a private in-memory table and asks aggregations of it. What lies at another place comes
  over a session to it, and is scanned here.
Impact: reads. The reader runs at idle priority on one core with a memory cap.
Limits: a log larger than the
  memory cap or the time box is read in part, from its start, and labelled so.
Source: the method's first step, "start with logs, not assumptions"; Wilson 1927 for the intervals.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template
from locard.model import codec
from locard.model.evidence import Output, Scope
from locard.model.log_facts import LogSummary
from locard.model.place import HERE
from locard.model.target import Skip
from locard.model.workload import WorkloadStates
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.place import Place
    from locard.model.target import Context
    from locard.probe import Step

BUDGET_S = 45.0
_BOUND_S = 60.0
_SCHEMA = "locard/1"
# A context gives absolute seconds; the command takes them as a number.
_REST = (
    "--since",
    "{since:number}",
    "--budget",
    "{budget:number}",
    "--no-keep",
    "--beside",
    "-o",
    "json",
)

FILE = Template(
    ("locard", "logs", "{source:source}", *_REST),
    Impact.READS,
    _BOUND_S,
    by_hand="locard logs {source} -o json",
    max_bytes=8 << 20,
    output="json",
    here=True,
)
ELSEWHERE = Template(
    (
        "locard",
        "logs",
        "{source:source}",
        "--on={place:word*}",
        "--namespace={namespace:word*}",
        "--context={context:word*}",
        "--container={container:word*}",
        *_REST,
    ),
    Impact.READS,
    _BOUND_S,
    max_bytes=8 << 20,
    output="json",
    here=True,
)
PIPE = Template(
    ("locard", "logs", "-", *_REST),
    Impact.READS,
    _BOUND_S,
    by_hand="locard logs - -o json",
    max_bytes=8 << 20,
    stdin=True,
    output="json",
    here=True,
)
COMMANDS = (FILE, ELSEWHERE, PIPE)


def applies(context: Context) -> Skip | None:
    """Where there is a log source at all."""
    if context.log_sources:
        return None
    return Skip(
        "no log source is known: the target holds no log file open that can be read here",
        "name it with --logs FILE, or pipe it in with --logs -",
    )


def scope(context: Context) -> Scope:
    """The log sources of the target."""
    return Scope(pids=context.target.pids, note=", ".join(context.log_sources))


def plan(context: Context) -> Generator[Step, Output, None]:
    """One command a source."""
    budget = max(1.0, BUDGET_S / max(len(context.log_sources), 1))
    for source in context.log_sources:
        values = {"since": _number(context.window_s), "budget": _number(budget)}
        if source == "-":
            yield PIPE.fill(**values)
        elif context.place == HERE:
            yield FILE.fill(source=source, **values)
        else:
            yield ELSEWHERE.fill(source=source, **_way(context.place), **values)


def _way(place: Place) -> dict[str, tuple[str, ...]]:
    """The flags that lead to a place: a cluster is asked from here, with kubectl's own."""
    from_here = place.transport in {"kubectl", "local"}
    names = ("namespace", "context", "container")
    ways = {name: place.option(name) if from_here else "" for name in names}
    ways["place"] = "" if from_here else place.ref
    return {name: (value,) if value else () for name, value in ways.items()}


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """The summary in each output, and the states of the pods that wrote the log."""
    return tuple(fact for output in outputs for fact in _facts(output))


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _facts(output: Output) -> Iterator[Fact]:
    try:
        data = json.loads(output.stdout)
        if data["schema"] != _SCHEMA:
            return
        yield codec.decode(LogSummary, data["log_summary"])
        if data.get("workload"):
            yield codec.decode(WorkloadStates, data["workload"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return  # cut off, or no answer at all: the evidence says why


_SAMPLE = {
    "source": "/var/log/payment.log", "lines": 1203, "records": 1200,
    "skipped": [{"reason": "not a JSON object", "lines": 3, "sample": "Listening on 8080"}],
    "roles": [{"role": "status", "field": "status", "reason": "its name, and values like 200"}],
    "first": 1763812800.0, "last": 1763813100.0,
    "error_means": "status >= 500", "bad_means": "status >= 500", "changed": ["errors"],
    "shape": "step",
    "onset": {"earliest": 1763812979.0, "latest": 1763812981.0, "confidence": 0.95,
              "baseline_seen": True},
    "series": [{"start": 1763812800.0, "width_s": 150.0, "total": 600, "errors": 2,
                "p50_ms": 20.0, "p99_ms": 64.0}],
    "before_total": 700, "before_bad": 2, "after_total": 480, "after_bad": 60,
    "before_p50_ms": 20.0, "before_p99_ms": 64.0, "after_p50_ms": 21.0, "after_p99_ms": 80.0,
    "groups": [], "blast_radius": [],
    "correlates": [{"values": [["upstream", "bank"]], "support": 58, "excess": 44.0,
                    "share_of_excess": 0.97, "lift": 3.2, "p_value": 1e-9}],
    "messages": [], "trace_ids": [], "gaps": ["no instance field"], "engine": "duckdb",
    "partial": False,
}  # fmt: skip

SAMPLES = (
    Sample(
        (
            Output(
                argv=("locard", "logs", "/var/log/payment.log", "-o", "json"),
                stdout=json.dumps({"schema": _SCHEMA, "log_summary": _SAMPLE}).encode(),
            ),
        ),
        ("shape='step'", "('upstream', 'bank')", "baseline_seen=True"),
    ),
    Sample(
        (
            Output(
                argv=("locard", "logs", "/var/log/empty.log", "-o", "json"),
                stdout=b"",
                stderr=b"locard: no log records in /var/log/empty.log: it is empty.\n",
                exit_code=3,
            ),
        ),
        ("()",),
    ),
)
