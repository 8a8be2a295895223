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
_MODE = "cpu"  # of a profile that was asked for no other
_SLACK_S = 30.0  # for finding the target, loading and telling


def arguments(parser: argparse.ArgumentParser, key: str | None, *, stacks: bool = True) -> None:
    """The target, the probe's own flags, places, and how far it may go; `stacks`: whether it gives some to write."""
    target_arguments(parser)
    if key is not None:
        add_params(parser, key)
    live.place_arguments(parser)
    live.ask_arguments(parser)
    if stacks:
        stack_arguments(parser)
    common.output_arguments(parser, ("text", "json", "markdown"))


def parted(words: list[str]) -> tuple[list[str], list[str]]:
    """(targets, names) of what was given: a target has a slash (pid/4242), a name has none, or a colon before it."""
    targets = [w for w in words if ("/" in w.partition(":")[0] and ".py:" not in w) or w.isdigit()]
    names = [w for w in words if w not in targets]
    return [f"pid/{w}" if w.isdigit() else w for w in targets], names


def target_arguments(parser: argparse.ArgumentParser) -> None:
    """The target."""
    parser.add_argument("target", nargs="*", metavar="TARGET", help=live.TARGET_HELP)
    parser.add_argument(
        "-p", "--pid", action="append", default=[], metavar="PID", help="the same as pid/PID"
    )


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


def run(
    args: argparse.Namespace,
    key: str,
    given: dict[str, str] | None = None,
    view: live.View | None = None,
) -> int:
    """Ask the probe about every target; `given`: parameters beside those of the flags, `view`: who shows it."""
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
    stretch_budget(args, f"{seconds:g}s")
    return investigate.ask(args, args.target, (Layer(entry.layer or ""),), (key, asked), view)


def stretch_budget(args: argparse.Namespace, for_s: str) -> None:
    """The time box holds what was asked for, where none was named."""
    seconds = parse_duration(for_s)
    if args.budget == _BUDGET and seconds + _SLACK_S > parse_duration(_BUDGET):
        args.budget = f"{seconds + _SLACK_S:g}s"


def _warn(args: argparse.Namespace, engine: str, key: str) -> None:
    """What a tool does to the target and to the machine, before it is asked."""
    from locard.kernel import engines  # noqa: PLC0415 - as above

    words = engines.WARNINGS.get(engine or key.partition("/")[2])
    if words and not args.quiet:
        print(safe(f"locard: {words}"), file=sys.stderr)


def stack_arguments(parser: argparse.ArgumentParser) -> None:
    """The files that stacks are written to."""
    group = parser.add_argument_group("stacks as files")
    group.add_argument("--flame", metavar="FILE", help="a flame graph: " + FLAME)
    group.add_argument(
        "--diff",
        metavar="BASE",
        help="beside an earlier profile, by change of share: folded lines, speedscope's JSON or a saved -o json;"
        " the table, and the page of --flame FILE.html",
    )
    group.add_argument("--folded", metavar="FILE", help="folded lines, as flamegraph.pl reads them")
    group.add_argument("--speedscope", metavar="FILE", help="for speedscope.app")
    group.add_argument("--pprof", metavar="FILE", help="for go tool pprof (gzipped profile.proto)")


def stack_files(args: argparse.Namespace) -> dict[str, str]:
    """The files that were asked for, by their flags."""
    names = ("flame", "folded", "speedscope", "pprof")
    return {f"--{n}": path for n in names if (path := getattr(args, n, None))}


def check_stack_files(args: argparse.Namespace) -> None:
    """What has to be right before anything runs: BASE is a profile, files do not collide. Raises UsageError."""
    files = stack_files(args)
    twice = [f for f, path in files.items() if list(files.values()).count(path) > 1]
    if twice:
        raise UsageError(
            f"{' and '.join(twice)} name one file", "each writes its own", "Name several files."
        )
    flame = getattr(args, "flame", None) or ""
    if flame.endswith((".svg", ".png", ".pdf")):
        raise UsageError(
            f"--flame {flame} cannot be written",
            "a flame graph is a page (.html), speedscope (.json) or folded lines (any other name)",
            f"Write --flame {flame.rpartition('.')[0]}.html: it opens in a browser and can be searched.",
        )
    if getattr(args, "diff", None):
        from locard.report import stack_base  # noqa: PLC0415 - only where it is asked for

        if args.flame and not args.flame.endswith((".html", ".htm")):
            raise UsageError(
                f"--diff has no place in {args.flame}",
                "what changed is shown on the page of a flame graph",
                "Write --flame FILE.html, or leave --flame out for the table.",
            )
        then = dict(stack_base.read(args.diff).asked).get("mode")
        now = getattr(args, "param_mode", None) or _MODE
        if then is not None and hasattr(args, "param_mode") and then != now:
            raise UsageError(
                f"{args.diff} is of --mode {then}, this would be of --mode {now}",
                "their shares are of different things",
                f"Write --mode {then}, or name a base of the same mode.",
            )


def write_stacks(found: Investigation, args: argparse.Namespace) -> None:
    """Write the files that were asked for; raises StateError where there is nothing to write."""
    from locard.model.headline import headline  # noqa: PLC0415 - only where it is asked for
    from locard.model.kernel_facts import Trace  # noqa: PLC0415 - as above
    from locard.report import flame_graph, pprof, stack_base  # noqa: PLC0415 - as above
    from locard.report import stack_files as files  # noqa: PLC0415 - as above

    asked, diff = stack_files(args), getattr(args, "diff", None)
    if not asked and not diff:
        return
    stacks = files.stacks_of(found)
    if not stacks:
        raise StateError(
            f"{', '.join(asked.values()) or 'the difference'} was not written",
            "no stack came",
            "Ask for stacks: locard profile, locard trace cpu-profile, locard libcalls --stacks.",
        )
    title = " ".join((found.target.ref, *dict.fromkeys(e.probe for e in found.evidence)))
    modes = {f.mode for e in found.evidence for f in e.facts if isinstance(f, Trace) and f.mode}
    title += "".join(f" --mode {mode}" for mode in sorted(modes))
    says = next((headline(e) for e in found.evidence), "")
    base = stack_base.read(diff) if diff else None
    if base is not None and args.output == "text":
        total = sum(s.value for s in stacks)
        for line in stack_base.lines(stack_base.changes(files.paths(stacks), base), base, total):
            print(safe(line))
    for flag, path in asked.items():
        if flag == "--pprof":
            seconds = max((ran.duration_s for e in found.evidence for ran in e.ran), default=0.0)
            common.write_bytes(path, pprof.encoded(stacks, seconds))
        elif flag == "--folded":
            common.write_file(path, files.folded(stacks))
        elif flag == "--speedscope":
            common.write_file(path, files.speedscope(stacks, title))
        else:
            common.write_file(path, flame_graph.rendered(path, stacks, title, says, base))
        if args.output == "text":
            print(safe(f"{'flame graph' if flag == '--flame' else flag[2:]}: {path}"))
