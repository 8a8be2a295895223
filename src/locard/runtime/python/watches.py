"""The watches that are in processes of this machine now, each with its expiry; on request they are told to end.

Shows: process, what is watched, who put it there, when it ends by itself.
How: memory of the form that `locard watch` maps is looked for in /proc/PID/maps and told by its name; to end one, a byte of
  its mailbox is written, and it takes itself out.
Impact: samples; with --reset injects.
Limits: processes that may be read. An agent whose process forked stays in the parent alone.
Source: proc(5); process_vm_readv(2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model import params
from locard.model.evidence import Output, Scope
from locard.model.watch_facts import LiveProbe, LiveProbes
from locard.probe import Sample
from locard.runtime.python import watch

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

BY_DEFAULT = False


@dataclass(frozen=True, slots=True)
class Params:
    """Whether to end them."""

    reset: bool = params.switch("tell them to end")


PARAMS = Params
LIST = Template(
    argv=("python3", "-I", "-S", "-", "list", "{pid:pid*}"),
    impact=Impact.SAMPLES,
    bound_s=20.0,
    by_hand="locard watch --list",
    program=watch.READER,
    needs=(needs.PYTHON,),
    output="json",
    parts=watch.AGENT,
)
RESET = Template(
    argv=("python3", "-I", "-S", "-", "reset", "{pid:pid*}"),
    impact=Impact.INJECTS,
    bound_s=20.0,
    by_hand="locard watch --reset",
    program=watch.READER,
    needs=(needs.PYTHON,),
    output="json",
    parts=watch.AGENT,
)
COMMANDS = (LIST, RESET)


def applies(context: Context) -> Skip | None:  # noqa: ARG001 - of every probe
    """Everywhere."""
    return None


def scope(context: Context) -> Scope:
    """The machine."""
    return Scope(pids=context.target.pids, note="every process that may be read")


def plan(context: Context, asked: Params = Params()) -> Generator[Step, Output, None]:
    """List them, or tell them to end: those of the target's processes, of all where it is a host."""
    if asked.reset:
        words = f"locard watch --reset {context.target.ref}"
        yield replace(RESET.fill(pid=context.target.pids), by_hand=words)
    else:
        yield LIST.fill(pid=context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One LiveProbes."""
    probes: list[LiveProbe] = []
    reset: list[int] = []
    any_ = False
    for output in outputs:
        for row in watch.rows(output.text):
            any_ = True
            try:
                if "reset" in row:
                    reset.append(int(row["reset"]))
                elif "agent" in row:
                    agent = row["agent"]
                    about = agent["about"]
                    probes.append(
                        LiveProbe(
                            int(agent["pid"]), tuple(map(str, about.get("spec", ()))), str(about.get("by", "?")),
                            int(agent["put"]), float(agent["expires"]),
                        )
                    )  # fmt: skip
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
    return (LiveProbes(tuple(probes), tuple(reset)),) if any_ else ()


_ASKED = ("python3", "-I", "-S", "-", "list")
SAMPLES = (
    Sample(
        (
            Output(
                argv=_ASKED,
                stdout=b'{"agent":{"pid":7,"page":4096,"about":{"spec":["shop:charge"],"by":"ann"},"expires":100.5,"put":99}}\n{"end":"listed"}\n',
            ),
        ),
        ("shop:charge", "expires=100.5"),
    ),
    Sample((Output(argv=_ASKED, stdout=b'{"end":"listed"}\n'),), ("probes=()",)),
)
