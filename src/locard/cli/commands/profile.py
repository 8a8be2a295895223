"""Where a Python process spends its time: stacks sampled many times a second, without a stop.

  locard profile pid/4242 --for 10s
  locard profile proc/gunicorn --mode gil --flame gil.html
  locard profile pid/4242 --diff before.json --flame changed.html
  locard profile pid/4242 --off-cpu            (where its threads wait: locard trace off-cpu)
  locard profile pid/4242 --native             (its C stacks: locard trace cpu-profile)

--mode cpu counts threads on a CPU or waiting for one, wall every thread, gil the one that has the GIL. All
processes of the target are sampled at once, merged and told apart. --off-cpu and --native are eBPF programs of the
kernel's: their frames are those of C; Python's are named only where it was started with -X perf.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.cli import observing
from locard.model.errors import UsageError

if TYPE_CHECKING:
    import argparse

_KEY = "runtime/profile"
_OTHERS = {"off_cpu": "kernel/off-cpu", "native": "kernel/cpu-profile"}
_OWN = {  # the parameters that each of the others takes as well
    "off_cpu": frozenset({"for_s", "min", "wakers"}),
    "native": frozenset({"for_s", "hz"}),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    observing.arguments(parser, _KEY)
    group = parser.add_argument_group("by the kernel: CAP_BPF, CAP_PERFMON or root")
    group.add_argument(
        "--off-cpu",
        action="store_true",
        help="where threads are off their CPU, by kernel and C stack: locard trace off-cpu",
    )
    group.add_argument(
        "--native",
        action="store_true",
        help="what the CPU runs, by C and kernel stack, without a stop: locard trace cpu-profile",
    )
    group.add_argument(
        "--min", dest="param_min", metavar="TIME", help="with --off-cpu: waits of at least this"
    )
    group.add_argument(
        "--wakers",
        dest="param_wakers",
        action="store_const",
        const="yes",
        help="with --off-cpu: who woke each",
    )


def run(args: argparse.Namespace) -> int:
    """Sample and show."""
    chosen = [name for name in _OTHERS if getattr(args, name)]
    given = {
        name.removeprefix("param_")
        for name, value in vars(args).items()
        if name.startswith("param_") and value is not None
    }
    if len(chosen) > 1:
        raise UsageError(
            "--off-cpu and --native do not go together",
            "one is of threads that run, the other of those that do not",
            "Run them one after the other.",
        )
    takes = _OWN[chosen[0]] if chosen else frozenset({"for_s", "hz", "mode"})
    wrong = sorted(given - takes)
    if wrong:
        what = f"--{chosen[0].replace('_', '-')}" if chosen else "locard profile without --off-cpu"
        raise UsageError(
            f"{what} takes no --{wrong[0].replace('for_s', 'for')}",
            "it is a parameter of another way to look",
            "See: locard profile --help",
        )
    return observing.run(args, _OTHERS[chosen[0]] if chosen else _KEY)
