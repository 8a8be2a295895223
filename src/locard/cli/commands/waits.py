"""Where every thread spends its time: calls, peers, files, locks and who holds them, 20 looks a second.

  locard waits pid/4242
  locard waits proc/gunicorn --for 30s -o json

Nothing is hooked: no event of the target costs anything. Shares, not counts: locard syscalls counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cli import observing

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    observing.arguments(parser, "kernel/waits")


def run(args: argparse.Namespace) -> int:
    """Look and show."""
    return observing.run(args, "kernel/waits")
