"""Where a Python process spends its time: stacks sampled many times a second, without a stop.

  locard profile pid/4242 --for 10s
  locard profile proc/gunicorn --mode gil --flame gil.html

--mode cpu counts threads on a CPU or waiting for one, wall every thread, gil the one that has the GIL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cli import observing

if TYPE_CHECKING:
    import argparse

_KEY = "runtime/profile"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    observing.arguments(parser, _KEY)


def run(args: argparse.Namespace) -> int:
    """Sample and show."""
    return observing.run(args, _KEY)
