"""Functions, classes and methods of a live Python process whose names match a pattern, and what stands behind each.

Shows: the name to give to `locard watch`, its kind, file and line; what is wrapped, cached, a property, a partial, a
  single-dispatch function with its implementations; what cannot be watched, and why.
How: the modules and classes are read from the process's memory, from outside.
Impact: samples. Nothing runs in the target and nothing stops it.
Limits: CPython 3.8 to 3.15, not free-threaded. Functions that only live inside of others, or in containers, have no name
  from outside and are not listed. At most 2,000 names, 20 s a process.
Source: CPython's headers; process_vm_readv(2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model import params
from locard.model.evidence import Output, Scope
from locard.model.watch_facts import FoundName, FoundNames
from locard.probe import Sample
from locard.runtime import detect
from locard.runtime.python import stacks, watch

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

BY_DEFAULT = False


@dataclass(frozen=True, slots=True)
class Params:
    """What to look for."""

    pattern: str = params.text("*", "module:name with * and ?, or a part of a name")


PARAMS = Params
FIND = Template(
    argv=("python3", "-I", "-S", "-", "find", "{pattern:source}", "{pid:pid*}"),
    impact=Impact.SAMPLES,
    bound_s=90.0,
    by_hand="locard find pid/{pid} {pattern}",
    max_bytes=8 << 20,
    program="+".join(
        f"far/{name}.py"
        for name in (
            "memory",
            "python_access",
            "symbols",
            "python_layout",
            "python_objects",
            "python_functions",
            "python_names",
            "python_find",
        )
    ),
    needs=(needs.PYTHON,),
    output="json",
)
COMMANDS = (detect.MAPPED, FIND)


def applies(context: Context) -> Skip | None:
    """It takes processes; which of them are Python is found by looking."""
    return stacks.applies(context)


def scope(context: Context) -> Scope:
    """Every process of the target."""
    return Scope(pids=context.target.pids)


def plan(context: Context, asked: Params = Params()) -> Generator[Step, Output, None]:
    """Tell the runtimes, then read the names of the CPython that began first: workers have the same."""
    mapped = yield detect.MAPPED.fill(pid=context.target.pids)
    pythons = detect.pythons(mapped)
    pids = tuple(p for p in context.target.pids if p in pythons)[-1:] or context.target.pids[:1]
    yield FIND.fill(pattern=asked.pattern, pid=pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One FoundNames."""
    facts: list[Fact] = []
    for output in outputs:
        if "find" not in output.argv:
            continue
        names: list[FoundName] = []
        missed: list[str] = []
        looked, left, cut = 0, 0, False
        for row in watch.rows(output.text):
            try:
                if "missed" in row:
                    missed.append(f"pid {int(row['pid'])}: {row['missed']}")
                elif "looked" in row:
                    looked += int(row["looked"])
                    left += int(row.get("left", 0))
                    cut = cut or bool(row["cut"])
                else:
                    names.append(_name(row))
            except (KeyError, TypeError, ValueError):
                continue
        if names or missed or looked:
            pattern = output.argv[output.argv.index("find") + 1]
            facts.append(FoundNames(pattern, tuple(names), looked, cut, tuple(missed), left))
    return tuple(facts)


def _name(row: dict[str, object]) -> FoundName:
    said = row["said"]
    return FoundName(
        pid=int(str(row["pid"])), name=str(row["name"]), kind=str(row["kind"]), file=str(row["file"]),
        line=int(str(row["line"])), said=tuple(map(str, said)) if isinstance(said, list) else (), watch=str(row["watch"]),
    )  # fmt: skip


_ASKED = ("python3", "-I", "-S", "-", "find", "shop:*", "7")
SAMPLES = (
    Sample(
        (
            Output(
                argv=_ASKED,
                stdout=b'{"pid":7,"name":"shop:charge","kind":"function","file":"/srv/shop.py","line":39,"said":["the body behind the wrapper charge (shop.py:10)"],"watch":""}\n{"pid":7,"looked":40,"cut":false}\n',
            ),
        ),
        ("shop:charge", "looked=40"),
    ),
    Sample(
        (Output(argv=_ASKED, stdout=b'{"pid":7,"missed":"free-threaded"}\n'),), ("free-threaded",)
    ),
)
