"""What grows among the objects of the target's Python processes, and who holds it: several looks, without a stop.

Shows: types of which there are more from look to look, with their rate and bytes, and whether they stay; what the
  collector does not track (text, bytes, bytearray) through what holds it; lists, dicts, sets and deques that get
  more items, with the types of the newest; single texts that become longer; for samples of what is new the chain of
  holders up to a module, a class, a thread or a variable of a function that runs, caches with their counters;
  the private memory of the process beside it; what waits for a collector that is off.
How: locard's own reader walks the lists of the garbage collector in blocks of memory, --looks times over --for;
  steady is what grew in each interval; then it follows references back from a few new objects.
Impact: samples. The memory is read without a stop; nothing runs in the target, no object of it is referred to and
  nothing is collected. One look at 600,000 objects took 0.4 s of a core, on the machine of the target.
  In an investigation only processes are looked at whose private memory grew by 256 KiB/s within 3 s, and 1 MiB.
Limits: CPython 3.8 to 3.15, not free-threaded. At most --most objects a look: with more, growth is not told. What
  grows slower than some ten objects over --for is not seen. Sizes are what each object's type says, without the
  allocator's own. References that only C code keeps are not seen: then no name is reached, and that is said.
  Of several processes the four with the most private memory: name others with pid/PID.
Source: CPython's headers (docs/adr/0029); process_vm_readv(2); proc(5).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template, Wait
from locard.model import params
from locard.model.evidence import Output, Scope
from locard.model.heap_facts import (
    GrowingContainer,
    GrowingText,
    GrowingType,
    HeapGrowth,
    HeapLook,
    HeldBy,
    Holding,
)
from locard.model.heap_words import size
from locard.model.kernel_facts import NotObserved
from locard.probe import Sample
from locard.runtime import detect
from locard.runtime.python import stacks

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_PRIVATE_LINE = re.compile(r"^/proc/(\d+)/status:\w+:\s+(\d+) kB$", re.MULTILINE)
_WAIT_S = 3.0  # between two readings of private memory, in an investigation
_LEAST_BYTES_S = 256 << 10  # of growth, from which on an investigation looks at the objects
_LEAST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Params:
    """How long, how many looks, and at how many objects."""

    for_s: float = params.duration(
        10.0, "from the first look to the last", least=0.5, most=540.0, flag="--for"
    )
    looks: int = params.param(
        5, "looks, evenly over the time; two tell more or less only", least=2, most=50
    )
    most: int = params.param(5_000_000, "objects of one look", least=1000, most=50_000_000)


PARAMS = Params
BRIEF = Params(for_s=8.0)  # in an investigation
_PARTS = (
    "far/python_gc.py+far/python_kinds.py+far/python_holders.py+far/python_loose.py+far/python_growth.py"
    "+far/python_chains.py+far/python_heap.py"
)
HEAP = Template(
    argv=(
        "python3",
        "-I",
        "-S",
        "-",
        "heap",
        "{seconds:number}",
        "{looks:number}",
        "{most:number}",
        "{pid:pid*}",
    ),
    impact=Impact.SAMPLES,
    bound_s=630.0,
    by_hand="grep -E 'RssAnon|VmSwap' /proc/{pid}/status; sleep {seconds}; grep -E 'RssAnon|VmSwap' /proc/{pid}/status",
    max_bytes=16 << 20,
    program=f"{stacks.OWN.program}+{_PARTS}" if stacks.OWN.program else None,
    needs=(needs.PYTHON,),
    output="json",
    ends="interrupted",
)
PRIVATE = Template(
    ("grep", "-s", "-a", "-H", "^RssAnon\\|^VmSwap", "/dev/null", "/proc/{pid:pid*}/status"),
    Impact.READS,
    3.0,
    output="counters",
)
COMMANDS = (detect.MAPPED, PRIVATE, HEAP)


def applies(context: Context) -> Skip | None:
    """It takes processes; which of them are Python is found by looking."""
    return stacks.applies(context)


def scope(context: Context) -> Scope:
    """Every process of the target."""
    return Scope(pids=context.target.pids)


def plan(context: Context, asked: Params | None = None) -> Generator[Step, Output, None]:
    """Tell the runtimes, then look at those that are CPython; unasked only at those whose memory grows."""
    mapped = yield detect.MAPPED.fill(pid=context.target.pids)
    pythons = detect.pythons(mapped)
    chosen = [pid for pid in context.target.pids if pid in pythons]
    if not chosen and (asked is not None or mapped.exit_code is None):
        chosen = list(context.target.pids)
    if asked is None and chosen:
        before = yield PRIVATE.fill(pid=tuple(chosen))
        yield Wait(_WAIT_S)
        after = yield PRIVATE.fill(pid=tuple(chosen))
        if before.exit_code is not None:  # None: nothing ran, as in a dry run
            chosen = [pid for pid, grew in _grown(before, after).items() if _much(grew)]
    if chosen:
        asked = asked or BRIEF
        yield HEAP.fill(
            seconds=f"{asked.for_s:g}",
            looks=str(asked.looks),
            most=str(asked.most),
            pid=tuple(chosen),
        )


def _grown(before: Output, after: Output) -> dict[int, int]:
    """Bytes by which the private memory of each process grew between two readings."""
    then, now = _private(before), _private(after)
    return {pid: now[pid] - then[pid] for pid in now if pid in then}


def _much(grew: int) -> bool:
    return grew >= max(_LEAST_BYTES, _LEAST_BYTES_S * _WAIT_S)


def _private(output: Output) -> dict[int, int]:
    """Private bytes of each process, in RAM or swapped out."""
    found: dict[int, int] = {}
    for pid, kib in _PRIVATE_LINE.findall(output.text):
        found[int(pid)] = found.get(int(pid), 0) + int(kib) * 1024
    return found


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One HeapGrowth of each process that was looked at, or why there is none."""
    facts: list[Fact] = []
    private = [o for o in outputs if any("RssAnon" in word for word in o.argv)]
    if len(private) > 1 and not any("heap" in o.argv for o in outputs):
        grew = _grown(private[0], private[-1])
        facts += [_unasked(pid, number) for pid, number in _most(grew)]
    elif not private and outputs and not any("heap" in o.argv for o in outputs):
        facts.append(
            HeapGrowth(0, "", 0.0, (), unasked="no process of it is known to be a CPython")
        )
    for output in outputs:
        if "heap" not in output.argv:
            continue
        try:
            told = json.loads(output.text)
            facts += [_fact(one) for one in told["processes"]]
            facts += [
                NotObserved("heap", f"pid {r['pid']}: {r['why']}", "") for r in told["refused"]
            ]
            if told["left_out"]:
                pids = ", ".join(map(str, told["left_out"]))
                why = f"not looked at, with less private memory: pid {pids}"
                first = told["left_out"][0]
                facts.append(NotObserved("heap", why, f"name them: locard heap pid/{first}"))
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError, IndexError):
            said = output.stderr.decode("utf-8", "replace").strip().splitlines()
            why = (said[-1] if said else "") or output.problem or "nothing came back"
            facts.append(NotObserved("heap", why, ""))
    return tuple(facts)


def _most(grew: dict[int, int]) -> list[tuple[int, int]]:
    """The process whose memory grew most."""
    return sorted(grew.items(), key=lambda g: -g[1])[:1]


def _unasked(pid: int, grew: int) -> HeapGrowth:
    """Why its objects were not looked at."""
    why = (
        f"no process's private memory grew by much: pid {pid}'s by {size(max(0, grew))} within"
        f" {_WAIT_S:g} s; the objects were not looked at"
    )
    return HeapGrowth(pid, "", 0.0, (), unasked=why)


def _fact(told: dict[str, Any]) -> HeapGrowth:
    collector = told["collector"]
    looks = tuple(_look(look) for look in told["looks"])
    return HeapGrowth(
        pid=int(told["pid"]),
        runtime=f"CPython {told['version']}",
        age_s=round(float(told["age_s"]), 1),
        looks=looks,
        types=_apart(told["types"]),
        containers=tuple(_container(c) for c in told["containers"]),
        texts=tuple(_text(t) for t in told["texts"]),
        collector_on=bool(collector["on"]),
        collections=tuple(map(int, collector["ran"])),
        young=int(told["looks"][-1]["lists"][0]) if looks else 0,
        interpreters=int(collector["interpreters"]),
        search_s=round(float(told["search"]["took"]), 3),
        unfinished=str(told["search"]["unfinished"]),
        cost_s=round(float(told["cost_s"]), 2),
        ended=str(told["ended"]),
    )


def _look(told: dict[str, Any]) -> HeapLook:
    return HeapLook(
        at_s=round(float(told["at"]), 3),
        took_s=round(float(told["took"]), 3),
        objects=int(told["objects"]),
        anonymous=int(told["anonymous"]),
        torn=int(told["torn"]),
        again=int(told["again"]),
        partial=str(told["partial"]),
        fleeting=bool(told.get("fleeting")),
    )


def _apart(rows: Sequence[dict[str, Any]]) -> tuple[GrowingType, ...]:
    """The types; several of one name are told apart by where each lies."""
    places: dict[str, set[int]] = {}
    for row in rows:
        places.setdefault(str(row["name"]), set()).add(int(row["type"]))
    return tuple(
        _type(row, "" if len(places[row["name"]]) == 1 else f" (type at {int(row['type']):#x})")
        for row in rows
    )


def _type(row: dict[str, Any], apart: str) -> GrowingType:
    return GrowingType(
        name=f"{row['name']}{apart}",
        counts=tuple(map(int, row["counts"])),
        trend=row["trend"],
        per_s=round(float(row["per_s"]), 2),
        bytes_each=None if row["bytes_each"] is None else int(row["bytes_each"]),
        level_s=row["level_s"],
        kept=row["kept"],
        through=str(row["through"]),
        holding=_holding(row.get("held") or ()),
    )


def _container(row: dict[str, Any]) -> GrowingContainer:
    return GrowingContainer(
        name=str(row["name"]),
        counts=tuple(map(int, row["counts"])),
        trend=row["trend"],
        per_s=round(float(row["per_s"]), 2),
        items=tuple(map(str, row.get("items", ()))),
        level_s=row["level_s"],
        holding=_holding(row.get("held") or ()),
        most=row.get("maxsize"),
    )


def _text(row: dict[str, Any]) -> GrowingText:
    return GrowingText(
        name=str(row["name"]),
        sizes=tuple(map(int, row["counts"])),
        trend=row["trend"],
        bytes_s=round(float(row["per_s"]), 1),
        holding=_holding(row.get("held") or ()),
    )


def _holding(held: Sequence[dict[str, Any]]) -> Holding | None:
    """The chain that most of the samples have, of those with a name if there are."""
    if not held:
        return None
    found = [_chain(h) for h in held]
    (chosen, same), *_ = sorted(
        Counter(found).most_common(), key=lambda pair: (not pair[0].root, -pair[1])
    )
    return replace(chosen, same=same, looked=len(found))


def _chain(told: dict[str, Any]) -> Holding:
    root = told["root"] or {}
    return Holding(
        steps=tuple(
            HeldBy(
                type=str(s["type"]),
                items=s.get("items"),
                cache=bool(s.get("cache")),
                hits=int(s.get("hits", 0)),
                most=s.get("maxsize"),
                of=str(s.get("of", "")),
                attribute=str(s.get("attribute", "")),
            )
            for s in told["chain"]
        ),
        root=root.get("kind", ""),
        name=str(root.get("name", "")),
        key=str(root.get("key", "")),
        thread=str(root.get("thread", "")),
        lasting=bool(root.get("lasting")),
        alone=bool(told.get("alone")),
    )


_CHAIN = """{"chain": [{"type": "tuple"}, {"type": "dict", "items": 250}, {"type": "functools._lru_cache_wrapper",
"cache": true, "items": 250, "hits": 0, "misses": 250, "maxsize": null, "of": "RepoClient.default_branch"}],
"root": {"kind": "class", "name": "__main__.RepoClient", "key": "default_branch"}, "alone": false, "holders": 1}"""
_TOLD = f"""{{"refused": [], "left_out": [], "processes": [{{"looks": [
{{"at": 0.0, "took": 0.1, "objects": 9000, "torn": 0, "again": 0, "partial": "", "anonymous": 10000000,
"lists": [10, 20, 8970, 0]}},
{{"at": 5.0, "took": 0.1, "objects": 9125, "torn": 0, "again": 0, "partial": "", "anonymous": 12000000,
"lists": [135, 20, 8970, 0]}},
{{"at": 10.0, "took": 0.1, "objects": 9250, "torn": 0, "again": 0, "partial": "", "anonymous": 14100000,
"lists": [260, 20, 8970, 0]}}],
"types": [{{"type": 9, "name": "__main__.RepoClient", "counts": [0, 125, 250], "trend": "steady", "per_s": 25.0,
"bytes_each": 80, "level_s": null, "kept": 1.0, "through": "", "held": [{_CHAIN}]}},
{{"type": 8, "name": "bytearray", "counts": [], "trend": "steady", "per_s": 25.0, "bytes_each": 16441,
"level_s": null, "kept": null, "through": "__main__.Session"}}],
"containers": [], "texts": [], "collector": {{"on": true, "ran": [1, 0, 0], "interpreters": 1}},
"search": {{"took": 0.1, "rounds": 1, "unfinished": ""}}, "pid": 7, "age_s": 60.0, "took": 10.3, "cost_s": 0.4,
"ended": "", "version": "3.11"}}]}}"""
_ASKED = ("python3", "-I", "-S", "-", "heap", "10", "5", "5000000", "7")

SAMPLES = (
    Sample(
        (Output(argv=_ASKED, stdout=_TOLD.encode()),),
        ("__main__.RepoClient", "per_s=25.0", "bytes_each=16441", "key='default_branch'"),
    ),
    Sample(
        (
            Output(
                argv=_ASKED,
                stdout=b"",
                stderr=b"no _PyRuntime in what it has mapped\n",
                exit_code=1,
            ),
        ),
        ("no _PyRuntime",),
    ),
)
