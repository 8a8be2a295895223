"""What library functions the target calls, how often, how long, of what size; for what ltrace is used for.

  locard libcalls pid/4242 --for 10s
  locard libcalls proc/gunicorn -e 'SSL_read*+SSL_write*@libssl*'
  locard libcalls container/pay -e 'malloc+free+_Znwm+_ZdlPvm' --no-latency --stacks

Without -e: what allocates and frees. Each call costs the target about 1.5 us; it detaches by itself
past --max-overhead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cli import observing

if TYPE_CHECKING:
    import argparse


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    observing.arguments(parser, "kernel/libcalls")


def run(args: argparse.Namespace) -> int:
    """Observe and show."""
    return observing.run(args, "kernel/libcalls")
