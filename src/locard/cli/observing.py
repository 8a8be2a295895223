"""What the commands share that observe a target for a while: one probe by its key, its parameters as flags."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from locard import catalogue
from locard.cli import common, live
from locard.guard.budget import parse_duration
from locard.model.errors import StateError, UsageError
from locard.report.plain import safe

if TYPE_CHECKING:
    import argparse

    from locard.catalogue import Entry
    from locard.model.investigation import Investigation

FLAME = "FILE.html (a page), FILE.json (speedscope), else folded lines"
_BUDGET = "3m"
_SLACK_S = 30.0  # for finding the target, loading and telling


def arguments(parser: argparse.ArgumentParser, key: str | None) -> None:
    """The target, the probe's own flags, places, and how far it may go."""
    parser.add_argument("target", nargs="*", metavar="TARGET", help=live.TARGET_HELP)
    parser.add_argument(
        "-p", "--pid", action="append", default=[], metavar="PID", help="the same as pid/PID"
    )
    if key is not None:
        add_params(parser, key)
    live.place_arguments(parser)
    live.ask_arguments(parser)
    parser.add_argument(
        "--flame", metavar="FILE", help="write the stacks as a flame graph: " + FLAME
    )
    common.output_arguments(parser, ("text", "json", "markdown"))


def parted(words: list[str]) -> tuple[list[str], list[str]]:
    """(targets, names) of what was given: a target has a slash (pid/4242), a name has none, or a colon before it."""
    targets = [w for w in words if "/" in w.partition(":")[0]]
    return targets, [w for w in words if w not in targets]


def add_params(parser: argparse.ArgumentParser, key: str) -> None:
    """The flags of a probe's parameters."""
    from locard.model import params  # noqa: PLC0415 - keeps `--help` quick

    entry = entry_of(key)
    kind = getattr(entry.load(), "PARAMS", None)
    if kind is not None:
        params.add_arguments(parser.add_argument_group(f"of {entry.name}"), kind)


def entry_of(key: str) -> Entry:
    """The probe of a key such as kernel/opens."""
    layer, _, name = key.partition("/")
    return catalogue.entry("probe", name, layer)


def _words(key: str) -> str:
    """How a probe of the kernel is asked for on a command line."""
    entry = entry_of(key)
    return f"trace {entry.name}" if ".programs." in entry.module else entry.name


def run(args: argparse.Namespace, key: str, given: dict[str, str] | None = None) -> int:
    """Ask the probe about every target; `given`: parameters beside those of the flags."""
    args.target = [*args.target, *(f"pid/{pid}" for pid in getattr(args, "pid", ()))]
    if not args.target:
        name = key.partition("/")[2]
        command = f"trace {name}" if getattr(args, "name", None) else name
        raise UsageError(
            "no TARGET was given",
            "it observes processes",
            f"Write for example: locard {command} pid/4242",
        )
    from locard.cli.commands import investigate  # noqa: PLC0415 - as above
    from locard.investigate import probing  # noqa: PLC0415 - as above
    from locard.model import params  # noqa: PLC0415 - as above
    from locard.model.evidence import Layer  # noqa: PLC0415 - as above

    entry = entry_of(key)
    asked = params.given(args) | (given or {})
    parsed = probing.params_of(probing.load(entry), asked)  # said before anything is opened
    _warn(args, getattr(parsed, "engine", ""), key)
    seconds = float(getattr(parsed, "for_s", 0.0))
    if seconds:
        asked.setdefault("for_s", f"{seconds:g}")
    if args.budget == _BUDGET and seconds + _SLACK_S > parse_duration(_BUDGET):
        args.budget = f"{seconds + _SLACK_S:g}s"
    return investigate.ask(args, args.target, (Layer(entry.layer or ""),), (key, asked))


def _warn(args: argparse.Namespace, engine: str, key: str) -> None:
    """What a tool does to the target and to the machine, before it is asked."""
    from locard.kernel import engines  # noqa: PLC0415 - as above

    words = engines.WARNINGS.get(engine or key.partition("/")[2])
    if words and not args.quiet:
        print(safe(f"locard: {words}"), file=sys.stderr)


def write_flame(found: Investigation, args: argparse.Namespace) -> None:
    """Write the flame graph that was asked for; raises StateError where there is none to write."""
    from locard.model.headline import headline  # noqa: PLC0415 - only where it is asked for
    from locard.report import flame_graph  # noqa: PLC0415 - as above

    stacks = flame_graph.stacks_of(found)
    if not stacks:
        raise StateError(
            f"{args.flame} was not written",
            "no stack came",
            "Ask for stacks: locard trace cpu-profile, locard libcalls --stacks.",
        )
    title = " ".join((found.target.ref, *dict.fromkeys(e.probe for e in found.evidence)))
    says = next((headline(e) for e in found.evidence), "")
    common.write_file(args.flame, flame_graph.rendered(args.flame, stacks, title, says))
    if args.output == "text":
        print(safe(f"flame graph: {args.flame}"))
