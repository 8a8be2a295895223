"""How full the target is, without any metrics server: its processes, control groups and host, sampled.

Shows: for each process CPU, resident memory, threads, open files against its limit, page faults, switches, what
  it reads and writes, its wait for a CPU; for each control group (v1 or v2) CPU against its quota and how often
  that held it back, working set against its limit, tasks against theirs, I/O, what reached memory.high, memory.max
  or the OOM killer, pressure; of the host pressure. Levels beside their limits; of a minute or more also what
  changed in it, of the host's steal, load and memory too.
How: a program of ours beside the target reads files of /proc and /sys/fs/cgroup every second, kept open. What
  the processes begin meanwhile is sampled from the next look on; a process that ends ends its series. The names
  are those of the client libraries, cAdvisor and node_exporter, so that the same conventions apply.
Impact: reads. 100 processes once a second take 0.5 % of a core (measured); at most 256 are sampled.
Limits: what lives shorter than an interval is not seen. Less than a minute has no baseline: levels only. Switches
  are those of the first thread, waits for a CPU those of at most 64 threads. Another user's open files (before
  Linux 6.2) and I/O need root; what was not read is said. An investigation samples for 3 s only.
Source: proc(5), proc_pid_io(5); Linux Documentation/scheduler/sched-stats.rst, accounting/psi.rst,
  admin-guide/cgroup-v1, admin-guide/cgroup-v2.rst; metrics/saturation_table.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model.evidence import Output, Scope
from locard.model.foreign_json import parsed
from locard.model.metric_facts import MetricChange, MetricHistory
from locard.model.metric_levels import levels_only, sampled_words
from locard.model.params import duration
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

BY_DEFAULT = True
_PATIENCE = (
    1.5  # times what a probe may wait between two readings: how long an investigation samples
)
_FEW = 6  # intervals of that
_SLACK_S = 25.0  # for starting and telling
_PIDS = 3  # that are named
_MOST_CHANGES = 20


@dataclass(frozen=True, slots=True)
class Params:
    """How long and how often."""

    for_s: float = duration(
        10.0, "how long the target is sampled; changes in it are told from 60s on",
        least=1.0, most=600.0, flag="--for",
    )  # fmt: skip
    interval_s: float = duration(
        1.0, "the time between two looks", least=0.1, most=60.0, flag="--interval"
    )


PARAMS = Params

SAMPLE = Template(
    argv=("python3", "-I", "-S", "-", "{seconds:number}", "{interval:number}", "{pid:pid*}", "{group:path*}"),
    impact=Impact.READS,
    bound_s=630.0,
    by_hand="vmstat {interval}; ps -o pid,comm,time,rss,nlwp,maj_flt -p {pid}; "
    "find {group} -maxdepth 1 -name '*.stat' -exec grep -H . '{}' +",
    max_bytes=256 << 20,
    program="far/metric_lines.py+far/cgroup_metrics.py+far/process_numbers.py+far/process_metrics.py",
    output="series",
    ends="interrupted",
    prompt=True,
    needs=(needs.PYTHON,),
)  # fmt: skip
COMMANDS = (SAMPLE,)


def applies(context: Context) -> Skip | None:  # noqa: ARG001 - every target has a host
    """Always: of a host its pressure."""
    return None


def scope(context: Context) -> Scope:
    """The target's processes and what they begin, their control groups, and the host."""
    return Scope(pids=context.target.pids, note="its control groups and the whole host")


def plan(context: Context, params: Params | None = None) -> Generator[Step, Output, None]:
    """One command that takes its time; None: an investigation, which has little."""
    if params is None:
        seconds = max(0.1, _PATIENCE * context.pause_s)
        params = Params(seconds, seconds / _FEW)
    directories = (*context.memory_cgroups, *context.cpu_cgroups, *context.pids_cgroups)
    command = SAMPLE.fill(
        seconds=_number(params.for_s),
        interval=_number(params.interval_s),
        pid=context.target.pids,
        group=tuple(dict.fromkeys(directories)),
    )
    yield replace(command, bound_s=min(command.bound_s, params.for_s + _SLACK_S))


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One MetricHistory of what was sampled."""
    if not outputs or not outputs[0].stdout:
        return ()
    words = _words(outputs[0])
    if not isinstance(words.get("sampled"), dict):
        return ()
    from locard.metrics import analysis, history  # noqa: PLC0415 - brings numpy

    told = history.read(outputs[0])
    found = analysis.analyse(told, _name(told.asked.get("pids")))
    found = replace(
        found,
        # Nobody can ask a PromQL query of a process.
        signals=tuple(replace(s, query="") for s in found.signals),
        changed=tuple(replace(c, query="") for c in found.changed),
        changes=tuple(
            sorted(
                (*(replace(c, query="") for c in found.changes), *_came_and_went(words)),
                key=lambda c: c.at,
            )
        ),
    )
    return (replace(found, not_told=(*_honest(found, words), *found.not_told)),)


def _words(output: Output) -> dict[str, Any]:
    """The lines that only this source has."""
    found: dict[str, Any] = {}
    for line in output.stdout.split(b"\n"):
        if b"\t" in line:
            continue
        try:
            said = parsed(line)
        except ValueError:
            continue
        if isinstance(said, dict):
            found |= {
                k: v for k, v in said.items() if k in {"processes", "of", "sampled", "missed"}
            }
    return found


def _name(pids: object) -> str:
    known = [int(p) for p in pids if isinstance(p, int)] if isinstance(pids, list) else []
    if not known:
        return "procfs of the host"
    more = f" and {count(len(known) - 1, 'other')}" if len(known) > 1 else ""
    return f"procfs and cgroups of pid {known[0]}{more}"


def _rows(words: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    rows = words.get(key)
    yield from (r for r in rows if isinstance(r, dict)) if isinstance(rows, list) else ()


def _came_and_went(words: Mapping[str, Any]) -> Iterator[MetricChange]:
    """Processes that began and ended meanwhile, the first few."""
    found = []
    for row in _rows(words, "processes"):
        name = f"{row.get('comm')} (pid {row.get('pid')})"
        for key, kind, what in (("began", "new instance", "began"), ("ended", "instance gone", "ended")):  # fmt: skip
            at = row.get(key)
            if isinstance(at, int | float):
                found.append((float(at), kind, f"{name} {what}"))
    for at, kind, what in sorted(found)[:_MOST_CHANGES]:
        yield MetricChange(at, "new instance" if kind == "new instance" else "instance gone", what)


def _honest(found: MetricHistory, words: Mapping[str, Any]) -> Iterator[str]:
    """What these numbers cannot tell, and what could not be read."""
    sampled = words["sampled"]
    if levels_only(found):
        yield f"{sampled_words(found)}: no baseline, levels only"
    if sampled.get("stopped"):
        yield f"the sampling ended early: {sampled['stopped']}"
    late, ticks = sampled.get("late"), sampled.get("ticks")
    if isinstance(late, int) and late and isinstance(ticks, int):
        yield f"{count(late, 'look')} of {late + ticks} came too late and were left out: that machine was busy"
    changed = words.get("of")
    listed = sum(1 for _ in _rows(words, "processes"))
    if isinstance(changed, int) and changed > listed:
        yield f"{changed:,} processes began or ended meanwhile, {listed:,} of them are told"
    for row in _rows(words, "missed"):
        pids = row.get("pids")
        shown = ", ".join(map(str, pids[:_PIDS])) if isinstance(pids, list) else ""
        number = row.get("of")
        of = f" of pid {shown}" if shown else ""
        more = f" and {number - _PIDS} more" if isinstance(number, int) and number > _PIDS else ""
        yield f"{_WHAT.get(str(row.get('what')), str(row.get('what')))}{of}{more}: {row.get('why')}"


_WHAT = {
    "io": "reads and writes",
    "fds": "open files",
    "memory": "resident memory",
    "run queue": "the wait for a CPU",
}


def _sample() -> tuple[Output, Output]:
    lines = [
        '{"asked":{"pids":[42],"window":10.0,"for":10.0}}',
        '{"source":{"kind":"procfs","sampled":true}}',
        '{"window":{"start":1000.0,"end":1010.0,"match":"","interest":10.0}}',
        '{"step":1.0,"interval":1.0}',
        '{"types":{"process_open_fds":"gauge","process_max_fds":"gauge"}}',
        _line("process_open_fds", 52.0),
        _line("process_max_fds", 64.0),
        '{"processes":[{"pid":43,"comm":"child","start":1002.0,"began":1003.0,"ended":null}],"of":1,"all":2}',
        '{"missed":[{"what":"io","why":"Permission denied","pids":[42],"of":1}]}',
        '{"sampled":{"seconds":10.0,"interval":1.0,"ticks":11,"late":0,"cost_s":0.1,"stopped":"","pids":[42]}}',
    ]
    argv = ("python3", "-I", "-S", "-", "10", "1", "42")
    gone = [
        '{"asked":{"pids":[42],"window":1.0,"for":10.0}}',
        '{"source":{"kind":"procfs","sampled":true}}',
        '{"problem":{"status":0,"words":"none of its processes is there any more"}}',
        '{"sampled":{"seconds":0.0,"interval":1.0,"ticks":1,"late":0,"cost_s":0.1,"stopped":"","pids":[42]}}',
    ]
    return Output(argv, "\n".join(lines).encode()), Output(argv, "\n".join(gone).encode())


def _line(name: str, value: float) -> str:
    """A series that stays as it is for ten seconds."""
    import base64  # noqa: PLC0415 - for the sample alone
    import struct  # noqa: PLC0415 - as above
    import zlib  # noqa: PLC0415 - as above

    head = {"labels": {"__name__": name, "pid": "42", "comm": "app"}, "t0": 1000000, "step": 1000.0}
    block = base64.b64encode(zlib.compress(struct.pack("<11d", *[value] * 11))).decode()
    return f"{json.dumps(head)}\t{block}"


SAMPLES = (
    Sample(
        (_sample()[0],),
        ("url='procfs and cgroups of pid 42'", "resource='fds', limit=64.0", "sampled for 10 s: no baseline, levels only",
         "reads and writes of pid 42: Permission denied", "what='child (pid 43) began'"),
    ),
    Sample((_sample()[1],), ("none of its processes is there any more",)),
)  # fmt: skip
