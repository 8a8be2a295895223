"""`locard logs A B`: the first pass over each, one after the other, and what they have in common."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from locard.guard.budget import parse_duration
from locard.model.errors import ExitCode, LocardError
from locard.report.plain import safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.investigate.logs_alone import Concluded
    from locard.model.log_facts import LogSummary
    from locard.model.workload import WorkloadStates

    Show = Callable[[LogSummary, Concluded, WorkloadStates | None], None]
    Judge = Callable[[argparse.Namespace, Show], int]

_LEAST_S = 1.0
_LONGEST = 78


def run(args: argparse.Namespace, judge: Judge, show: Show) -> int:
    """Exit as one log would, the worst of them first; one that cannot be read leaves the others (4)."""
    from locard.report import document  # noqa: PLC0415 - keeps `--help` quick

    sources = list(dict.fromkeys(args.source))
    budget_s = max(_LEAST_S, parse_duration(args.budget) / len(sources))
    read: list[tuple[LogSummary, WorkloadStates | None]] = []
    documents: list[dict[str, Any]] = []
    failed: list[tuple[str, LocardError]] = []
    codes: list[int] = []

    def keep(summary: LogSummary, concluded: Concluded, states: WorkloadStates | None) -> None:
        read.append((summary, states))
        if args.output == "json":
            documents.append(document.logs_document(summary, concluded, states))
            return
        if len(read) > 1:
            sys.stdout.write("\n")
        show(summary, concluded, states)

    for source in sources:
        own = {"source": [source], "budget": f"{budget_s:.3f}s"}
        try:
            codes.append(judge(argparse.Namespace(**{**vars(args), **own}), keep))
        except LocardError as error:
            failed.append((source, error))
    if not read and failed:
        raise failed[0][1]
    _end(args, read, failed, documents)
    if failed or ExitCode.PARTIAL in codes:
        return ExitCode.PARTIAL
    return max(codes)


def _end(
    args: argparse.Namespace,
    read: list[tuple[LogSummary, WorkloadStates | None]],
    failed: list[tuple[str, LocardError]],
    documents: list[dict[str, Any]],
) -> None:
    import textwrap  # noqa: PLC0415 - as above

    from locard.model import shared_errors  # noqa: PLC0415
    from locard.report import document, times  # noqa: PLC0415

    tz = None if args.output == "json" else args.tz
    shared = [times.told(text, tz) for text in shared_errors.sentences(read)]
    if args.output == "json":
        lost = [
            {"source": name, "what": e.what, "why": e.why, "next_step": e.next_step}
            for name, e in failed
        ]
        sys.stdout.write(
            document.dumps(document.several_logs_document(documents, shared, lost)) + "\n"
        )
        return
    for text in shared:
        sys.stdout.write(
            "\n" + textwrap.fill(safe(text), _LONGEST, subsequent_indent="    ") + "\n"
        )
    for name, error in failed:
        sys.stdout.write(f"\n{safe(name)}: not read: {safe(error.why)}\n")
