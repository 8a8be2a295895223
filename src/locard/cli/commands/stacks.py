"""Stacks of every thread of every Python process of the target: grouped, with what each group waits for.

  locard stacks pid/4242
  locard stacks proc/gunicorn -o json

Read from outside, without a stop. What no thread shows (suspended coroutines, greenlets) is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cli import observing

if TYPE_CHECKING:
    import argparse

_KEY = "runtime/stacks"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    observing.arguments(parser, _KEY)


def run(args: argparse.Namespace) -> int:
    """Look and show."""
    return observing.run(args, _KEY)
