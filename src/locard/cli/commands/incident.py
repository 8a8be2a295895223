"""The record of past investigations: list, show, replay, verify, erase.

`last` stands for the newest incident.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from locard.cli import common, flag_checks
from locard.model.errors import ExitCode, UsageError
from locard.model.wording import count

if TYPE_CHECKING:
    import argparse

    from locard.ledger.state import StateDirectory
    from locard.ledger.store import Ledger


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "action",
        choices=("list", "show", "replay", "verify", "output", "erase"),
        nargs="?",
        metavar="ACTION",
        default="list",
        help="list (default); show the report; replay: judge the record anew, with no target;"
        " verify the hash chain; output: print one stored output; erase one stored output, leaving"
        " a tombstone",
    )
    parser.add_argument(
        "incident", nargs="?", metavar="INCIDENT", help="an incident id, or last (default)"
    )
    parser.add_argument(
        "--head",
        metavar="HASH",
        help="verify: this entry must be in the record (8 digits or more)",
    )
    parser.add_argument(
        "--unverified", action="store_true", help="show, replay: also what does not verify"
    )
    parser.add_argument(
        "--digest", help="output, erase: the output's SHA-256, as the report cites it"
    )
    parser.add_argument("--reason", help="erase: why, for the record")
    common.output_arguments(parser, ("text", "json", "markdown", "html"))
    common.state_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    from locard.ledger.state import StateDirectory  # noqa: PLC0415 - keeps `--help` quick

    flag_checks.check_incident(args)
    args.incident = args.incident or "last"
    state = StateDirectory.find(args.state)
    actions = {"list": _list, "verify": _verify, "output": _output, "erase": _erase}
    return actions.get(args.action, _show)(state, args)


def _list(state: StateDirectory, args: argparse.Namespace) -> int:
    from locard.cli import incidents  # noqa: PLC0415
    from locard.report import document  # noqa: PLC0415

    found = incidents.listed(state)
    if args.output == "json":
        body = [
            {**item.document(), "ledger": str(state.ledger_path(item.incident))} for item in found
        ]
        print(document.dumps({"schema": document.SCHEMA, "kind": "incidents", "incidents": body}))
    else:
        print("\n".join(incidents.table(found, args.tz)) or f"no incident in {state.path}")
    return ExitCode.NOTHING_FOUND


def _show(state: StateDirectory, args: argparse.Namespace) -> int:
    from locard.investigate.replay import replay  # noqa: PLC0415
    from locard.report import render, terminal  # noqa: PLC0415

    with state.open(args.incident) as ledger:
        why = _unverified(ledger, args)
        if why and not args.unverified:
            return ExitCode.FINDINGS
        again = replay(ledger)
    found = again.investigation
    code = ExitCode.FINDINGS if why else ExitCode.NOTHING_FOUND
    if args.output == "text":
        terminal.show(found, tz=args.tz, color=not args.no_color)
    else:
        sys.stdout.write(render.render(found, args.output, code, tz=args.tz))
    if args.action == "replay":
        words = (
            "the same findings as at the time"
            if again.same
            else (
                f"{count(len(found.findings), 'finding')} where {len(again.recorded)} {'was' if len(again.recorded) == 1 else 'were'} recorded at the time:"
                " this version of locard judges the same evidence otherwise"
            )
        )
        sys.stderr.write(f"replayed with no target: {words}\n")
        return code if again.same else ExitCode.FINDINGS
    return code


def _unverified(ledger: Ledger, args: argparse.Namespace) -> str:
    """Why the record does not verify, said where it will be seen; empty where it does."""
    from locard.model.errors import TamperedError  # noqa: PLC0415
    from locard.report.plain import safe  # noqa: PLC0415

    try:
        ledger.verify()
    except TamperedError as error:
        why = f"THIS RECORD WAS CHANGED: {error.what}: {error.why}."
        rest = (
            "What follows may be forged."
            if args.unverified
            else "Nothing of it is shown; --unverified shows it all the same."
        )
        sys.stderr.write(f"locard: {safe(why)} {rest}\n  next: {safe(error.next_step)}\n")
        if args.output in {"text", "markdown"}:
            print(f"{safe(why)}\n{rest}\n")
        elif args.output == "json" and not args.unverified:
            from locard.report import document  # noqa: PLC0415

            body = {"schema": document.SCHEMA, "kind": "unverified", "why": error.why}
            print(document.dumps(body))
        return why
    return ""


def _verify(state: StateDirectory, args: argparse.Namespace) -> int:
    from locard.report import document  # noqa: PLC0415

    with state.open(args.incident) as ledger:
        verified = ledger.verify(args.head)
        name = ledger.path.name
    if args.output == "json":
        print(
            document.dumps(
                {
                    "schema": document.SCHEMA,
                    "kind": "verified",
                    "entries": verified.entries,
                    "outputs": verified.outputs,
                    "erased": verified.erased,
                    "head": verified.head,
                }
            )
        )
    else:
        print(
            f"{name} verifies: {count(verified.entries, 'entry')} in one chain, {count(verified.outputs, 'output')}"
            f" as they were stored, {verified.erased} erased.\nhead {verified.head}"
        )
    return ExitCode.NOTHING_FOUND


def _output(state: StateDirectory, args: argparse.Namespace) -> int:
    with state.open(args.incident) as ledger:
        content = ledger.output(_digest(state, args))
    if content is None:
        sys.stderr.write("erased on request; its tombstone is all that is left\n")
        return ExitCode.NOTHING_FOUND
    if sys.stdout.isatty():
        from locard.report.plain import safe  # noqa: PLC0415

        print(safe(content.decode("utf-8", "replace"), lines=True))
    else:
        sys.stdout.buffer.write(content)
    return ExitCode.NOTHING_FOUND


def _erase(state: StateDirectory, args: argparse.Namespace) -> int:
    if not args.reason:
        raise UsageError("no reason given", "the record keeps why", "Pass --reason TEXT.")
    with state.open(args.incident, write=True) as ledger:
        entry = ledger.erase(_digest(state, args), args.reason)
    print(f"erased at {time.strftime('%FT%T%z', time.localtime(entry.at))}; tombstone {entry.hash}")
    return ExitCode.NOTHING_FOUND


def _digest(state: StateDirectory, args: argparse.Namespace) -> str:
    """The one stored output whose digest begins as given."""
    if not args.digest:
        raise UsageError("no output named", "an output has a digest", "Pass --digest PREFIX.")
    with state.open(args.incident) as ledger:
        cited = {
            ran[stream]
            for entry in ledger.entries("evidence")
            for ran in entry.body["ran"]
            for stream in ("stdout", "stderr")
        }
    fitting = sorted(d for d in cited if d.startswith(args.digest))
    if len(fitting) != 1:
        raise UsageError(
            f"{args.digest!r} names {count(len(fitting), 'output')}",
            "it must name one",
            "Digests stand in: locard incident show -o json",
        )
    return str(fitting[0])
