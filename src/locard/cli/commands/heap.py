"""What grows among the objects of a Python process, and who holds it: several looks, read from outside.

  locard heap pid/4242
  locard heap proc/gunicorn --for 1m --looks 7

Nothing stops and nothing runs in the target, nothing is collected. Several looks tell what grows steadily from
what filled up and stays level; a slow leak needs a longer --for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cli import observing

if TYPE_CHECKING:
    import argparse

_KEY = "runtime/heap"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    observing.arguments(parser, _KEY, stacks=False)


def run(args: argparse.Namespace) -> int:
    """Look and show."""
    return observing.run(args, _KEY)
