"""What system calls the target makes, where they take time and what fails; for what strace is used for.

  locard syscalls pid/4242 --for 10s
  locard syscalls proc/gunicorn --net --slow 1ms
  locard syscalls container/pay --events network,fsync --errors

Ranked by wall time (what passed inside the calls, of all threads added up); threads and children are
followed. It sums in the kernel and stops nothing. Calls that a signal interrupts and the kernel begins
anew (restarts) are no errors; lost events are those that came faster than they could be read: numbers
are then the least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cli import observing

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    observing.arguments(parser, "kernel/syscalls")


def run(args: argparse.Namespace) -> int:
    """Observe and show."""
    return observing.run(args, "kernel/syscalls")
