"""Run one eBPF program against the target: opens, tcp-connect-latency, run-queue, …; alone, list them.

  locard trace
  locard trace opens pid/4242 --for 10s
  locard trace tcp-connect-latency proc/gunicorn --port 5432

Each sums in the kernel what belongs to the target, says what it lost and what it cannot see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard import catalogue
from locard.cli import observing
from locard.model.errors import ExitCode, UsageError, did_you_mean

if TYPE_CHECKING:
    import argparse

    from locard.catalogue import Entry


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a program; alone: list them")
    observing.arguments(parser, None)


def more_arguments(parser: argparse.ArgumentParser, words: list[str]) -> None:
    """The flags of the program that is named."""
    named = next((w for w in words if not w.startswith("-") and w in _programs()), "")
    if named:
        observing.add_params(parser, f"kernel/{named}")


def run(args: argparse.Namespace) -> int:
    """Observe and show, or list what there is."""
    if args.name is None:
        for name, entry in _programs().items():
            print(f"{name:<22}{entry.summary()}")
        return ExitCode.NOTHING_FOUND
    if args.name not in _programs():
        names = list(_programs())
        raise UsageError(
            f"no program {args.name!r}",
            did_you_mean(args.name, names) or f"there is: {', '.join(names)}",
            "List them: locard trace",
        )
    return observing.run(args, f"kernel/{args.name}")


def _programs() -> dict[str, Entry]:
    """The programs by name."""
    every = catalogue.entries("probe", "kernel")
    return {e.name: e for e in every if ".programs." in e.module}
