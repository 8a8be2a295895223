"""Watch calls of one function in a live process: arguments, result, exception, duration, callers.

  locard watch pid/4242 'shop:Order.pay' --allow injects
  locard watch proc/gunicorn 'shop:charge' --where 'cost_ms > 100 and params[0].currency == "EUR"' -n 5 -x 3 --allow injects
  locard watch pid/4242 'shop:charge' --stats --allow injects     (Arthas: monitor; watch and tt tell calls)
  locard watch pid/4242 'shop:charge' --callers --allow injects   (Arthas: stack; --tree: trace)
  locard watch --list          every live watch on this machine, with its expiry; --reset TARGET ends them

Names: locard find (Arthas: sc, sm). A thread is put into the process for it, which is gone after.
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from locard.cli import common, live, observing
from locard.guard.command import Impact
from locard.model import params
from locard.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    import argparse

_KEY = "runtime/watch"
_LIVE = "runtime/watches"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "target", nargs="*", metavar="TARGET NAME", help=f"{live.TARGET_HELP}; then module:function"
    )
    parser.add_argument(
        "-p", "--pid", action="append", default=[], metavar="PID", help="the same as pid/PID"
    )
    parser.add_argument("--list", action="store_true", help="list the live watches of this machine")
    parser.add_argument(
        "--reset", action="store_true", help="tell those of TARGET to end (host/local: all)"
    )
    kind = observing.entry_of(_KEY).load().PARAMS
    group = parser.add_argument_group("of watch")
    params.add_arguments(group, kind, leave=("name",))
    live.place_arguments(parser, short=False)  # -n is how many, as in Arthas
    live.ask_arguments(parser)
    common.output_arguments(parser, ("text", "json", "jsonl", "markdown"))


def run(args: argparse.Namespace) -> int:
    """Watch, and tell calls as they come."""
    args.target, names = observing.parted(args.target)
    if args.list or args.reset:
        return _live(args, names)
    if not args.target and not args.pid:
        raise UsageError(
            "no TARGET was given",
            "watch takes a process and the name of a function",
            "Write for example: locard watch pid/4242 'shop:Order.pay' --allow injects",
        )
    if not names:
        raise UsageError(
            "no function was named",
            "watch takes one, as module:function or module:Class.method",
            "Find it: locard find TARGET NAME",
        )
    if Impact.parse(args.allow) < Impact.INJECTS and not args.dry_run:
        words = shlex.join(["locard", *sys.argv[1:]])
        raise UsageError(
            "watch was not allowed to inject",
            "it puts a thread into the process by one stop of about 1 ms, and takes it out after",
            f"Write: {words} --allow injects (or --dry-run to see what would run)",
        )
    from locard.cli import watching  # noqa: PLC0415 - keeps `--help` quick

    return observing.run(args, _KEY, {"name": ",".join(names)}, watching.view(args))


def _live(args: argparse.Namespace, names: list[str]) -> int:
    """List the live watches, or end them."""
    if names:
        raise UsageError(
            f"{names[0]} was given beside {'--reset' if args.reset else '--list'}",
            "they are about every watch of a machine, or of the processes that are named",
            f"Write: locard watch {'--reset' if args.reset else '--list'}",
        )
    if args.reset and not args.target and not args.pid:
        raise UsageError(
            "--reset was given without a target",
            "others may watch on this machine, too",
            "Name the process, or all of them: locard watch --reset pid/4242, locard watch --reset host/local",
        )
    if args.reset:
        args.allow = Impact.INJECTS.word  # what was put in is taken out
    if not args.target and not args.pid:
        args.target = ["host/local"]
    code = observing.run(args, _LIVE, {"reset": "yes"} if args.reset else {})
    return code if code != ExitCode.FINDINGS else ExitCode.NOTHING_FOUND
