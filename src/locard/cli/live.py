"""What the commands that look at live targets share: their flags, and from flags to places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from locard.cli import common
from locard.guard.budget import parse_duration
from locard.guard.command import Impact
from locard.model import target_names
from locard.model.errors import ExitCode, UsageError, did_you_mean
from locard.model.place import HERE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from locard.investigate.places import Asked
    from locard.model.fleet import Fleet, Member
    from locard.model.investigation import Investigation, Question

IN_CLUSTER = target_names.IN_CLUSTER
KINDS = ("pid", "proc", "unit", "host", "container", *IN_CLUSTER)
TARGET_HELP = (
    "pid/4242, proc/gunicorn, unit/payment.service, host/local, host/web-17, container/ID, pod/NAME,"
    " deployment/NAME"
)


class View(common.Quiet):
    """Who shows what comes while it comes, in place of a screen at the end."""

    def ended(self, found: Investigation) -> int:
        """All is done; the exit code."""
        return exit_code(found)


def place_arguments(parser: argparse.ArgumentParser, *, short: bool = True) -> None:
    """Where the targets are: `--on`, `--hosts`, and kubectl's own flags; `short`: with its -n."""
    where = parser.add_argument_group("places")
    where.add_argument(
        "--on", metavar="PLACE", help="where it runs: host/NAME (ssh), container/NAME"
    )
    where.add_argument(
        "--hosts",
        metavar="NAMES",
        help="many: a,b,c, 'web*' (Hosts of ssh), or a file or inventory",
    )
    where.add_argument(
        "--sudo",
        action="store_true",
        help="there, run by `sudo -n` what reads or samples, where its sudoers allow it without a password",
    )
    cluster_arguments(where, short=short)


def cluster_arguments(where: argparse._ActionsContainer, *, short: bool = True) -> None:
    """Kubectl's own flags."""
    names = ("-n", "--namespace") if short else ("--namespace",)
    where.add_argument(*names, default="", metavar="NAME", help="of kubectl, as the next two")
    where.add_argument("--context", default="", metavar="NAME")
    where.add_argument("-c", "--container", default="", metavar="NAME")


def ask_arguments(parser: argparse.ArgumentParser, budget: str = "3m") -> None:
    """How far it may go and how long it may take."""
    parser.add_argument(
        "--budget", default=budget, metavar="TIME", help=f"time box (default {budget})"
    )
    parser.add_argument(
        "--allow",
        default="samples",
        metavar="IMPACT",
        help="highest impact: reads, samples (default), pauses, injects",
    )
    parser.add_argument(
        "--debug-image",
        default="python:3-slim",
        metavar="IMAGE",
        help="with --allow injects, beside a container without a shell (default python:3-slim)",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would run; run nothing")
    parser.add_argument("--incident", metavar="ID", help="add to an incident of this id")
    common.state_argument(parser)


def question(
    args: argparse.Namespace, *, logs: tuple[str, ...] = (), metrics: tuple[str, ...] = ()
) -> Question:
    """What was asked, of no target yet; raises UsageError."""
    from locard.model.investigation import Question  # noqa: PLC0415 - a tenth of a start-up

    budget_s = parse_duration(args.budget)
    if budget_s <= 0:
        raise UsageError("the budget is zero", "nothing can run in no time", "Pass --budget 3m.")
    return Question(
        ref="",
        logs=logs,
        metrics=metrics,
        budget_s=budget_s,
        window_s=parse_duration(getattr(args, "since", "10m")),
        allow=Impact.parse(args.allow).word,
    )


def targets(args: argparse.Namespace, refs: Sequence[str]) -> tuple[Asked, ...]:
    """The targets with their places, in the order in which they were named; raises UsageError."""
    every = _targets(args, refs)
    if not getattr(args, "sudo", False):
        return every
    option = ("sudo", "yes")
    return tuple(
        a
        if a.place.local
        else replace(a, place=replace(a.place, options=(*a.place.options, option)))
        for a in every
    )


def _targets(args: argparse.Namespace, refs: Sequence[str]) -> tuple[Asked, ...]:
    from locard.investigate import inventory, places  # noqa: PLC0415 - keeps `--help` quick

    for ref in refs:
        _require(ref)
    where = "--hosts" if args.hosts else "--on"
    clustered = next((r for r in refs if r.partition("/")[0] in IN_CLUSTER), "")
    if clustered and (args.hosts or args.on):
        raise UsageError(
            f"{clustered} and {where} do not go together",
            "what runs in a cluster is reached by your kubectl from here",
            f"Leave {where} out, or name a process or unit on the host.",
        )
    if args.hosts:
        if args.on:
            raise UsageError("--on and --hosts do not go together", "each says where", "Use one.")
        every = (
            inventory.hosts(args.hosts)
            if inventory.is_one(args.hosts)
            else places.hosts(args.hosts, _ssh_config())
        )
        return tuple(a for ref in refs or (None,) for a in places.of_hosts(every, ref))
    on = places.place_of(args.on) if args.on else HERE
    return tuple(places.asked(ref, on) for ref in refs)


def _ssh_config() -> Path | None:
    import os  # noqa: PLC0415 - as above

    given = os.environ.get("LOCARD_SSH_CONFIG")
    return Path(given) if given else None


def _require(ref: str) -> None:
    """A target of a known kind: before anything is looked at."""
    kind, slash, name = ref.partition("/")
    if kind in target_names.KINDS and slash:
        target_names.require(kind, name)
    near = did_you_mean(kind, KINDS) if slash and kind not in KINDS else ""
    if near:
        raise UsageError(f"{ref!r} is no target", near, "Write for example pid/4242 or proc/NAME.")


def exit_code(found: Investigation) -> int:
    """Partial beats findings, findings beat none; what is about strangers is no finding here.

    Where servers alone were asked and none of them let us in, it is that nobody was reached.
    """
    from locard.model.finding import Role  # noqa: PLC0415 - keeps `--help` quick

    facts = [fact for item in found.evidence for fact in item.facts]
    if facts and all(getattr(fact, "unreached", False) for fact in facts):
        return ExitCode.UNREACHABLE
    if found.partial:
        return ExitCode.PARTIAL
    host = found.target.kind == "host"
    mine = [f for f in found.findings if host or f.role is not Role.CONTEXT]
    return ExitCode.FINDINGS if mine else ExitCode.NOTHING_FOUND


def fleet_exit_code(fleet: Fleet) -> int:
    """3 where nobody could be looked at, 4 where not everybody, else the worst of them."""
    seen = [m.found for m in fleet.members if m.found is not None]
    if not seen:
        return ExitCode.UNREACHABLE
    codes = {exit_code(found) for found in seen}
    if len(seen) < len(fleet.members) or ExitCode.PARTIAL in codes or fleet.partial:
        return ExitCode.PARTIAL
    return (
        ExitCode.FINDINGS
        if ExitCode.FINDINGS in codes or fleet.differences
        else ExitCode.NOTHING_FOUND
    )


def tell(args: argparse.Namespace) -> Callable[[Member], None]:
    """Says of each member of a fleet what came of it, as soon as it is known."""
    import sys  # noqa: PLC0415 - as above

    from locard.report.fleet_screen import member_line  # noqa: PLC0415 - as above
    from locard.report.plain import safe  # noqa: PLC0415 - as above

    def told(member: Member) -> None:
        if not args.quiet:
            sys.stderr.write(safe(member_line(member)) + "\n")
            sys.stderr.flush()

    return told
