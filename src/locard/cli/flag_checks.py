"""Flags of `locard logs` and `locard incident` that mean nothing beside the others: said, never ignored."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from locard.guard.budget import parse_duration
from locard.model.errors import UsageError

if TYPE_CHECKING:
    import argparse

_KUBECTL = ("namespace", "context", "selector", "container", "all_containers", "previous")
_ACTIONS = {  # of incident: where each flag means something
    "--head": ("verify",),
    "--unverified": ("show", "replay"),
    "--digest": ("output", "erase"),
    "--reason": ("erase",),
}
_FORMATS = {
    "list": ("text", "json"),
    "verify": ("text", "json"),
    "output": ("text",),
    "erase": ("text",),
}


def check_logs(args: argparse.Namespace) -> None:
    """Raise UsageError for the first flag of `locard logs` that would have no effect."""
    if parse_duration(args.budget) <= 0:
        raise UsageError("the budget is zero", "nothing can be read in no time", "Use --budget 60s")
    if args.window is not None and args.around is None:
        raise _alone("--window", "it is the time to both sides of --around", "--around TIME")
    if args.seed is not None and args.sample is None:
        raise _alone("--seed", "it is the seed of --sample", "--sample N")
    given = next((name for name in _KUBECTL if getattr(args, name)), None)
    if given is not None and args.source:
        _check_kubectl(f"--{given.replace('_', '-')}", args.source)


def check_incident(args: argparse.Namespace) -> None:
    """Raise UsageError for what its action does not take."""
    if args.action == "list" and args.incident is not None:
        raise UsageError(
            f"incident list takes no INCIDENT, and {args.incident!r} was given",
            "it lists all of them",
            f"For one of them: locard incident show {args.incident}",
        )
    given: dict[str, Any] = {
        "--head": args.head,
        "--unverified": args.unverified,
        "--digest": args.digest,
        "--reason": args.reason,
    }
    for flag, actions in _ACTIONS.items():
        if given[flag] and args.action not in actions:
            raise UsageError(
                f"incident {args.action} has no {flag}",
                f"it is a flag of {' and '.join(actions)}",
                "Leave it out.",
            )
    formats = _FORMATS.get(args.action, (args.output,))
    if args.output not in formats:
        raise UsageError(
            f"incident {args.action} has no -o {args.output}",
            f"it is written as {' or '.join(formats)}",
            "A report in that format: locard incident show INCIDENT -o " + args.output,
        )


def _alone(flag: str, why: str, other: str) -> UsageError:
    return UsageError(f"{flag} alone has no effect", why, f"Add {other}, or leave {flag} out.")


def _check_kubectl(flag: str, sources: list[str]) -> None:
    from locard.logs.input import log_source  # noqa: PLC0415 - only where the flag is given

    other = next((s for s in sources if log_source.kind_of(s) != "kubernetes"), None)
    if other is not None:
        raise UsageError(
            f"{flag} is a flag of kubectl, and {other!r} is not read by it",
            "it would have no effect",
            "Leave it out, or name pod/NAME, deployment/NAME or label/KEY=VALUE.",
        )


def source_flags(args: argparse.Namespace) -> str:
    """Where the source is and kubectl's flags, as given, for a command that reads the same source again."""
    said = ["--on", args.on] if args.on else []
    for name in _KUBECTL:
        value, flag = getattr(args, name), f"--{name.replace('_', '-')}"
        if value:
            said.append(flag if value is True else f"{flag}={value}")
    return shlex.join(said)
