"""Functions of a live process by name: what stands behind each, and which of them `watch` takes (Arthas: sc, sm).

  locard find pid/4242 'shop:*'
  locard find proc/gunicorn charge

module:name with * and ?; a word alone is looked for anywhere in the names. Nothing is put into the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cli import observing
from locard.model.errors import UsageError

if TYPE_CHECKING:
    import argparse

_KEY = "runtime/find"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    observing.arguments(parser, None, stacks=False)


def run(args: argparse.Namespace) -> int:
    """Look and show."""
    args.target, patterns = observing.parted(args.target)
    if len(patterns) > 1:
        raise UsageError(
            f"{len(patterns)} patterns were given",
            "find takes one",
            "Join them with *, or ask twice.",
        )
    return observing.run(args, _KEY, {"pattern": patterns[0]} if patterns else {})
