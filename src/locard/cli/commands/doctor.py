"""What can be done here, or at another place: what is missing, what works, and the extensions there are.

Each missing part says what it would add and how to get it. Nothing is installed or changed.

Exit code: 0 where all that locard itself needs works (its modules, python3, permissions, eBPF), 4 where
something of that does not. Another program that is not there, such as ltrace, is optional and does not
count; a script that wants one reads `capabilities` of -o json.

  locard doctor
  locard doctor host/web-17
  locard doctor --all                          (the probes, rules and formats there are, too)
  locard doctor deployment/payment -n shop     (who may do what in the cluster)
  locard doctor --sudoers USER                 (the rules that would let declared reads run as root)
"""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from locard import __version__, catalogue
from locard.cli import common, live, parser
from locard.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    import argparse

    from locard.guard.capability import Check
    from locard.guard.command import Need, Template
    from locard.model.place import Ground

_KINDS = ("probe", "rule", "source", "format", "dialect", "scenario", "command")


def arguments(into: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    into.add_argument(
        "target", nargs="?", metavar="PLACE", help="host/NAME, container/NAME, deployment/NAME"
    )
    into.add_argument("--all", action="store_true", help="list every probe, rule, format, … too")
    into.add_argument("--on", metavar="PLACE", help="the same: host/NAME, container/NAME")
    live.cluster_arguments(into)
    into.add_argument("--all-containers", action="store_true")
    into.add_argument(
        "--sudoers",
        nargs="?",
        const="",
        metavar="USER",
        help="print rules for /etc/sudoers.d by which USER (you) may run what only reads, as root",
    )
    common.output_arguments(into, ("text", "json"), times=False)


def run(args: argparse.Namespace) -> int:
    """Exit 0 where all that is not optional works, else 4."""
    if args.on:
        if args.target:
            raise UsageError(
                f"{args.target} and --on do not go together", "one place is looked at", "Use one."
            )
        args.target = args.on
    if args.sudoers is not None:
        if args.target:
            raise UsageError(
                f"--sudoers and {args.target} do not go together",
                "the rules are made of where this machine's programs lie",
                "Run it there: locard doctor --sudoers USER",
            )
        from locard.cli import sudoers_rules  # noqa: PLC0415 - keeps `--help` quick

        sys.stdout.write(sudoers_rules.rules(args.sudoers))
        return ExitCode.NOTHING_FOUND
    if args.target and args.target.partition("/")[0] in live.IN_CLUSTER:
        from locard.cli import cluster_access  # noqa: PLC0415 - keeps `--help` quick

        return cluster_access.show(args, _row)
    given = next((f for f in ("namespace", "context", "container") if getattr(args, f)), "")
    if given or args.all_containers:
        raise UsageError(
            f"--{given or 'all-containers'} is for a target in a cluster",
            "none was given",
            "Write for example: locard doctor deployment/payment -n shop",
        )
    from locard.guard import capability  # noqa: PLC0415 - keeps `--help` quick
    from locard.investigate import places, start  # noqa: PLC0415 - as above
    from locard.model.place import HERE  # noqa: PLC0415 - as above
    from locard.report import document  # noqa: PLC0415 - as above

    place = places.place_of(args.target) if args.target else HERE
    ground, tried = start.try_place(place)
    checks = (
        *(capability.installation() if place.local else ()),
        *capability.at_place(ground, tried, wanted(here=place.local)),
    )
    listed = {
        kind: [(e.name, e.layer, e.summary()) for e in catalogue.entries(kind)] for kind in _KINDS
    }
    if args.output == "json":
        body = {
            "schema": document.SCHEMA,
            "kind": "doctor",
            "version": __version__,
            "place": place.ref,
            "capabilities": [
                {
                    "name": c.name,
                    "works": c.works,
                    "optional": c.optional,
                    "adds": c.adds,
                    "detail": c.detail,
                    "get": c.get,
                }
                for c in checks
            ],
            **{
                f"{kind}s": [{"name": n, "layer": layer, "summary": s} for n, layer, s in rows]
                for kind, rows in listed.items()
            },
        }
        sys.stdout.write(document.dumps(body) + "\n")
    else:
        _text(checks, place.ref if not place.local else "", ground)
        if place.local:
            _extensions(listed, names=args.all)
    whole = all(c.works or c.optional for c in checks)
    return ExitCode.NOTHING_FOUND if whole else ExitCode.PARTIAL


def wanted(*, here: bool) -> tuple[Need, ...]:
    """What the commands of the catalogue declare to need, each once.

    Elsewhere only what runs at the place counts: a cluster is asked from here.
    """
    found: dict[Need, None] = {}
    for template in _templates():
        if here or not template.here:
            found.update(dict.fromkeys(template.needs))
    return tuple(found)


def _templates() -> list[Template]:
    from locard.guard import capability, sudo  # noqa: PLC0415 - as above
    from locard.investigate import survey  # noqa: PLC0415 - as above

    every = [
        t
        for kind in ("probe", "source")
        for e in catalogue.entries(kind)
        for t in e.load().COMMANDS
    ]
    return [*every, *survey.COMMANDS, *capability.COMMANDS, sudo.LIST]


def _text(checks: tuple[Check, ...], place: str, ground: Ground) -> None:
    """What works in one line, what is missing with how to get it, and the details last."""
    print(
        f"locard {__version__} on Python {sys.version.split()[0]}{f' at {place}' if place else ''}"
    )
    if place:
        _row("  as ", f"{ground.user} on {ground.host}, kernel {ground.kernel or 'unknown'}, "
                      f"Python {ground.python or 'none'}{_clock(ground)}")  # fmt: skip
    own = [c for c in checks if not c.works and not c.optional]
    others = [c for c in checks if not c.works and c.optional]
    _row("works: ", ", ".join(c.name for c in checks if c.works and not _not_here(c)) or "nothing")
    if own:
        print("\nmissing")
    else:
        print("\nnothing that locard itself needs is missing")
    for check in own:
        _missing(check)
    if others:
        print("\noptional, and not here")
    for check in others:
        _missing(check)
    print("\nin detail")
    for check in checks:
        if check.works:
            _row(f"  {'--' if _not_here(check) else 'yes':<4} {check.name:<16} ", check.detail)


def _missing(check: Check) -> None:
    _row(f"  {'NO':<4} {check.name:<16} ", check.detail)
    _row(" " * 24 + "adds: ", check.adds)
    _row(" " * 24 + "get:  ", check.get)


def _not_here(check: Check) -> bool:
    """Whether it is told as neither: this kernel lacks it, and nothing needs it."""
    return check.detail.startswith(("not here", "refused here"))


def _extensions(listed: dict[str, list[tuple[str, str | None, str]]], *, names: bool) -> None:
    """How many there are of each kind; by name where that is asked for."""
    if not names:
        numbers = ", ".join(f"{len(rows)} {kind}s" for kind, rows in listed.items())
        print()
        _row("there are: ", f"{numbers}; by name: locard doctor --all")
        return
    for kind, rows in listed.items():
        print(f"\n{kind}s")
        for name, layer, words in rows:
            _row(f"  {f'{layer}/{name}' if layer else name:<28} ", words)


def _clock(ground: Ground) -> str:
    ahead, within = ground.clock_ahead_s, ground.clock_within_s
    if ahead is None or within is None:
        return ""
    if abs(ahead) <= within + 0.5:
        return f", clock as here (within {max(within, 0.001):.3f} s)"
    return f", clock {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} ours"


def _row(label: str, words: str) -> None:
    """A label, and words beside it that go on below each other."""
    indent = " " * len(label.lstrip("\n"))
    print(
        textwrap.fill(
            words,
            parser.width(),
            initial_indent=label,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
    )
