"""Processes that the kernel kills because memory has run out, and whether they are the target's.

Shows: each victim of the machine with its size, who asked for memory then, and whether it belongs to the
  target; what the target's memory cgroups counted meanwhile (memory.events: oom, oom_kill, max, high), with
  their limit; how many the machine's own counter has.
How: an eBPF program on the kernel's mark_victim; the cgroups and /proc/vmstat are read before and after.
Impact: samples. Nothing until a process is chosen. Also known as oomkill.
Limits: before Linux 6.8 the event holds the number alone, no size. A process that its own allocator ends, or
  that a supervisor ends for its size, is no victim of the kernel.
Source: oomkill(8) of bcc, oom:mark_victim, cgroups v2 memory.events, memory.oom_control of v1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, _traces
from locard.model.kernel_facts import Row, Trace
from locard.model.kernel_words import duration, size
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Output, Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_UNLIMITED = 1 << 60  # v1 writes a great number where there is no limit

COMMANDS = (_observing.template("oom", "oomkill", own="kernel/_oom_far.py"),)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long."""

    for_s: float = _observing.for_param(30.0)


PARAMS = Params


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies(context)


def scope(context: Context) -> Scope:
    """Every process of the machine."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of the machine."""
    settings = {"attach": ["marked"], "rings": ["victims"], "follow": False}
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("oom", outputs, _trace)


def _trace(told: Told) -> Trace:
    page = next((int(r["page"]) for r in told.others if "page" in r), 4096)
    own = {known.get("pid") for known in told.threads.values()}
    rows = []
    for event in told.events.get("victims", ()):
        above = event["above"]
        above = set(above.values()) if isinstance(above, dict) else set(above)
        ours = event["tgid"] in own or event["pid"] in told.threads or bool(above & own)
        words = ["of the target" if ours else "not of the target"]
        resident = None
        if event["counted"]:
            resident = page * sum(
                max(0, event[k]) for k in ("file_pages", "anonymous_pages", "shared_pages")
            )
            words.append(f"about {size(page * max(0, event['anonymous_pages']))} of its own")
        if event["total_pages"]:
            words.append(f"{size(page * event['total_pages'])} mapped")
        words.append(
            f"{_observing.process(event['asked_comm'], event['asked_tgid'])} asked for memory"
        )
        if event["score_adj"]:
            words.append(f"oom_score_adj {event['score_adj']}")
        ago = _traces.ended_ago(told, event["at_ns"])
        words += [f"{duration(ago)} before the end"] if ago else []
        rows.append(
            Row(
                event["comm"] or f"process {event['tgid'] or 'of another pid namespace'}",
                "killed",
                pid=event["tgid"] or None,
                count=1,
                bytes=resident,
                detail="; ".join(words),
            )
        )
    rows.sort(key=lambda r: (r.detail.startswith("not "), r.what))
    groups = [_group(row) for row in told.others if "memory" in row]
    return Trace("oom", _says(told, rows, groups), told.observed(), (*rows, *groups))


def _group(row: dict[str, Any]) -> Row:
    limit = row.get("limit")
    known = isinstance(limit, int) and limit < _UNLIMITED
    return Row(
        f"cgroup {row['cgroup']}",
        str(row["memory"]),
        count=int(row["more"]),
        detail=f"limit {size(limit)}" if known else "",
    )


def _says(told: Told, rows: list[Row], groups: list[Row]) -> str:
    seconds = f"{told.seconds:.1f} s"
    own = [r for r in rows if not r.detail.startswith("not ")]
    machine = sum(int(r["more"]) for r in told.others if "machine" in r)
    if not rows:
        said = f"no process was killed for lack of memory in {seconds}"
        if machine:
            said = f"{count(machine, 'process', 'processes')} killed for lack of memory in {seconds}, not seen which"
    else:
        said = f"{count(len(rows), 'process', 'processes')} killed for lack of memory in {seconds}"
        shown = ", ".join(
            f"{r.what} ({r.pid}{', ' + size(r.bytes) + ' resident' if r.bytes else ''})"
            for r in (own or rows)[:3]
        )
        said += f", {len(own)} of the target: {shown}" if own else f", none of the target: {shown}"
    for what, words in (("oom_kill", "killed in"), ("max", "reached the limit of")):
        fits = [g for g in groups if g.result == what]
        if fits:
            limit = f" ({fits[0].detail})" if fits[0].detail else ""
            said += f"; {fits[0].count:,} {words} {fits[0].what}{limit}"
            break
    return said


_BEGAN = '{"began":1000000000,"attached":["marked"],"machine":"x86_64"}'
_VICTIM = (
    '{"at_ns":4000000000,"total_pages":60000,"file_pages":1000,"anonymous_pages":50000,"shared_pages":0,'
    '"pid":%d,"tgid":%d,"asked_tgid":9,"counted":1,"score_adj":0,"depth":2,"comm":"worker","asked_comm":"worker",'
    '"above":{"0":%d,"1":1},"event":"victims"}'
)
_GROUP = '{"memory":"oom_kill","more":1,"cgroup":"/case","limit":209715200}'
_NAME = '{"thread":7,"pid":7,"comm":"server"}'
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":1}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, _VICTIM % (9, 9, 7), _GROUP, '{"page":4096}', _NAME, _END),),
        (
            (
                "1 process killed for lack of memory in 5.0 s, 1 of the target: worker (9, 199 MiB resident);"
                " 1 killed in cgroup /case (limit 200 MiB)"
            ),
            "of the target; about 195 MiB of its own; 234 MiB mapped; worker (9) asked for memory",
            "what='cgroup /case', result='oom_kill'",
        ),
    ),
    Sample(
        (_traces.recorded(_BEGAN, _VICTIM % (9, 9, 8), _NAME, _END),),
        ("none of the target: worker (9, 199 MiB resident)", "not of the target; "),
    ),
    Sample(
        (_traces.recorded(_BEGAN, _NAME, _END),),
        ("no process was killed for lack of memory in 5.0 s",),
    ),
)
