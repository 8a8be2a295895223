"""What can be done here, or at another place: what is missing, what works, and the extensions there are.

Each missing part says what it would add and how to get it. Nothing is installed or changed.

  locard doctor
  locard doctor host/web-17
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
    """Exit 0 when everything is there, 4 when something is missing."""
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
                {"name": c.name, "works": c.works, "adds": c.adds, "detail": c.detail, "get": c.get}
                for c in checks
            ],
            **{
                f"{kind}s": [{"name": n, "layer": layer, "summary": s} for n, layer, s in rows]
                for kind, rows in listed.items()
            },
        }
        sys.stdout.write(document.dumps(body) + "\n")
    else:
        _text(checks, listed if place.local else {}, place.ref, ground)
    return ExitCode.NOTHING_FOUND if all(c.works for c in checks) else ExitCode.PARTIAL


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


def _text(
    checks: tuple[Check, ...],
    listed: dict[str, list[tuple[str, str | None, str]]],
    place: str,
    ground: Ground,
) -> None:
    where = f" at {place}" if listed == {} else ""
    print(f"locard {__version__} on Python {sys.version.split()[0]}{where}")
    if where:
        _row("  as ", f"{ground.user} on {ground.host}, kernel {ground.kernel or 'unknown'}, "
                      f"Python {ground.python or 'none'}{_clock(ground)}")  # fmt: skip
    missing = [check for check in checks if not check.works]
    print("\nmissing" if missing else "\nnothing is missing")
    for check in missing:
        _row(f"  {'NO':<4} {check.name:<16} ", check.detail)
        _row(" " * 24 + "adds: ", check.adds)
        _row(" " * 24 + "get:  ", check.get)
    print("\nworks")
    for check in checks:
        if check.works:
            shown = "--" if check.detail.startswith(("not here", "refused here")) else "yes"
            _row(f"  {shown:<4} {check.name:<16} ", check.detail)
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
