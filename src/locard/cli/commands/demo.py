"""Start a real broken service from the lab, investigate it live, and show what was true.

Everything is drawn from the seed: names, shares, what breaks, how much and when. The service, its
upstreams and its clients are real processes on this machine; all of them end with the demo.
"""

from __future__ import annotations

import json
import random
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from locard import catalogue
from locard.cli import common
from locard.model.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from types import FrameType

    from locard.lab.investigation import Investigated
    from locard.lab.play import Casting
    from locard.lab.stage import Stage


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    names = ", ".join(e.name for e in catalogue.entries("scenario"))
    parser.add_argument("name", nargs="?", help=f"{names} (default: drawn from the seed)")
    parser.add_argument("--seed", type=int, metavar="N", help="repeat a run (default: drawn)")
    variants = parser.add_mutually_exclusive_group()
    variants.add_argument("--healthy", action="store_true", help="nothing happens at all")
    variants.add_argument(
        "--near-miss", action="store_true", help="something happens that only looks like it"
    )
    common.output_arguments(parser, ("text", "json"))
    common.state_argument(parser)
    parser.add_argument("--html", metavar="PATH", help="where to write the HTML report")
    parser.add_argument("--keep", action="store_true", help="keep the service's files")
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="X", help="stretch (>1) or shorten the phases"
    )


def run(args: argparse.Namespace) -> int:
    """Play, investigate, compare; returns the exit code of the investigation."""
    from locard.lab import investigation, score  # noqa: PLC0415 - keeps `--help` quick
    from locard.lab.play import play  # noqa: PLC0415
    from locard.lab.processes import hide  # noqa: PLC0415
    from locard.lab.stage import require_programs  # noqa: PLC0415

    require_programs()
    if args.scale <= 0:
        raise UsageError("the scale is not positive", "phases take time", "Pass --scale 1.")
    casting = _casting(args)
    page = args.html
    if page is None and args.output == "text":
        page = str(Path(tempfile.gettempdir()) / f"locard-{casting.seed}.html")
    if page:
        common.require_writable(page)
    hide({casting.scenario, "--healthy", "--near-miss"})
    signal.signal(signal.SIGTERM, _stop)
    say = _silent if args.quiet else _say
    say(f"seed {casting.seed} (repeat with --seed {casting.seed})")
    words = (*(("--html", page) if page else ()), *_passed_on(args))

    def investigate(stage: Stage) -> Investigated:
        if args.output == "json":
            return investigation.as_json(stage, *words, echo=not args.quiet)
        return investigation.as_text(stage, *words, say=say, echo=not args.quiet)

    played = play(casting, investigate, say, keep=args.keep)
    if args.output == "json":
        print(json.dumps(score.demo_document(played), indent=2))
    else:
        from locard.lab import words as lab_words  # noqa: PLC0415

        print(lab_words.comparison(played, args.tz))
    return played.investigated.exit_code


def _passed_on(args: argparse.Namespace) -> tuple[str, ...]:
    """The flags that the investigation takes as they were given."""
    given = {"--state": args.state, "--tz": args.tz and args.tz.key}
    flags = [word for flag, value in given.items() if value for word in (flag, value)]
    return (*flags, "--no-color") if args.no_color else tuple(flags)


def _casting(args: argparse.Namespace) -> Casting:
    from locard.lab.play import Casting  # noqa: PLC0415
    from locard.lab.scene import Variant  # noqa: PLC0415

    seed = secrets.randbelow(1_000_000) if args.seed is None else args.seed
    names = [e.name for e in catalogue.entries("scenario")]
    name = args.name or random.Random(seed).choice(names)  # noqa: S311 - repeatable on purpose
    catalogue.entry("scenario", name)
    variant = Variant.FAULT
    if args.healthy:
        variant = Variant.HEALTHY
    elif args.near_miss:
        variant = Variant.NEAR_MISS
    return Casting(name, seed, variant, args.scale)


def _silent(_: str) -> None:
    """With -q."""


def _say(text: str) -> None:
    sys.stderr.write(f"demo: {text}\n")
    sys.stderr.flush()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that everything that was started is ended."""
    raise KeyboardInterrupt
