"""The read-only checklist of a host: memory, CPU, files, sockets, disks, OOM kills, limits.

Here, or by ssh at host/NAME; of a target's host with its own limits where one is named. On many
--hosts each is asked at once, and who differs from its peers comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cli import common, live

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "target", nargs="*", metavar="TARGET", help="host/local (default); " + live.TARGET_HELP
    )
    live.place_arguments(parser)
    live.ask_arguments(parser, budget="60s")
    common.output_arguments(parser, ("text", "json", "markdown"))


def run(args: argparse.Namespace) -> int:
    """Ask the host layer alone."""
    from locard.cli.commands import investigate  # noqa: PLC0415 - keeps `--help` quick
    from locard.investigate import places  # noqa: PLC0415 - as above
    from locard.model.errors import UsageError  # noqa: PLC0415 - as above
    from locard.model.evidence import Layer  # noqa: PLC0415 - as above

    if args.on:
        places.place_of(args.on)
        if args.hosts:
            raise UsageError("--on and --hosts do not go together", "each says where", "Use one.")
    for ref in args.target:
        if "/" not in ref:
            raise UsageError(
                f"{ref!r} is no target",
                f"did you mean host/{ref}?",
                f"Write: locard host host/{ref}",
            )
    refs = args.target or ([] if args.hosts else [args.on or "host/local"])
    if args.on and not args.target:
        args.on = None  # the place itself is the target
    return investigate.ask(args, refs, (Layer.HOST,))
