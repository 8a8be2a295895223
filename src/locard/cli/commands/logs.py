"""Read a log without a hypothesis, or slice it: what changed and when, who is affected, which lines.

SOURCE is a log file, a glob or directory of rotated ones, journald, container/ID, pod/NAME,
deployment/NAME, or - for standard input; JSON, text or both. Lines that cannot be read cost only
themselves and are counted. Without --where, --select, --by, --around, --trace, --sample, --top and --sql this is the
first pass: shape, onset, blast radius, correlates. With one of them it prints what was asked for:

  locard logs app.log --where 'status >= 500' --select time,path -o jsonl
  locard logs app.log --where 'level = error' --by upstream
  locard logs gateway.log payments.log --trace 4bf92f3577b34da6a3ce929d0e0e4736
  locard logs app.log --where 'duration > 500ms' --by path --as loki

Fields are named as in the log (nested ones dotted), or by role: time, level, status, duration,
endpoint, upstream, trace_id, … Scans are kept for a day in the state directory (private to you), so
that the next question is fast; a file that has changed since is read anew.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.cli import common, flag_checks
from locard.guard.budget import Budget, parse_duration
from locard.model.errors import ExitCode, UsageError
from locard.model.wording import count

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from locard.investigate.logs_alone import Concluded
    from locard.logs.ask.kept_scans import Shelf
    from locard.logs.table.table import Table
    from locard.model.log_facts import LogSummary
    from locard.model.workload import WorkloadStates

_MOST_THREADS = 256
_ATTEMPTS = 4  # with half of the records each
_LIVE_S = 10.0  # since the last write
_SAMPLE = 8  # one record in so many is judged where all of them took too long
_LEAST_S = 1.0  # to judge in, however little was left
_ENOUGH_S = 3600.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        nargs="*",
        help="a file, glob or directory, journald, container/ID, pod/NAME, deployment/NAME, or -",
    )
    reading = parser.add_argument_group("sources")
    reading.add_argument(
        "--on", metavar="PLACE", help="where it lies: host/NAME (ssh), container/NAME"
    )
    reading.add_argument("--follow", action="store_true", help="go on until --budget or Ctrl-C")
    reading.add_argument(
        "-n", "--namespace", default="", metavar="NAME", help="of kubectl, as the next five"
    )
    reading.add_argument("--context", default="", metavar="NAME")
    reading.add_argument("-l", "--selector", default="", metavar="LABELS")
    reading.add_argument("-c", "--container", default="", metavar="NAME")
    reading.add_argument("--all-containers", action="store_true")
    reading.add_argument("--previous", action="store_true", help="of the container before this one")
    parser.add_argument(
        "--field", action="append", default=[], metavar="ROLE=NAME", help="what a field means"
    )
    parser.add_argument(
        "--log-tz", type=common.zone, metavar="ZONE", help="the zone of times that name none"
    )
    parser.add_argument(
        "--errors", metavar="EXPR", help="what an error is, such as 'status = 429' (first pass)"
    )
    parser.add_argument(
        "--since", metavar="TIME", help="only this long before the last record, plus a baseline"
    )
    ask = parser.add_argument_group("slicing")
    ask.add_argument("--where", metavar="EXPR", help="only records such as 'status >= 500'")
    ask.add_argument("--select", metavar="F1,F2", help="only these fields")
    ask.add_argument("--by", metavar="F1,F2", action="append", help="count by these fields")
    ask.add_argument("--top", type=_count, metavar="N", help="at most so many groups or records")
    ask.add_argument("--sample", type=_count, metavar="N", help="so many records, uniformly")
    ask.add_argument("--seed", type=int, metavar="N", help="of --sample (default 0)")
    ask.add_argument("--around", metavar="TIME", help="only around 12:03, an ISO time, 10m ago")
    ask.add_argument("--window", metavar="TIME", help="to both sides of --around (default 30s)")
    ask.add_argument("--trace", metavar="ID", help="all lines of one request, in order of time")
    ask.add_argument("--sql", metavar="SELECT", help="DuckDB SQL over the view `log`; reads only")
    ask.add_argument(
        "--as",
        dest="dialect",
        metavar="NAME",
        help="print the same question for a backend: jq, sql, loki, elasticsearch, splunk, …",
    )
    parser.add_argument("--budget", default="60s", metavar="TIME", help="time box (default 60s)")
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="cores (default: all; one, with the lowest priority, beside a log that is being written)",
    )
    parser.add_argument(
        "--beside",
        action="store_true",
        help="a target runs here: one core, least priority and memory, no file is written",
    )
    parser.add_argument("--no-keep", action="store_true", help="do not keep or use a kept scan")
    common.state_argument(parser)
    common.output_arguments(parser, ("text", "json", "jsonl", "csv", "parquet"))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 1 << 62:
        raise UsageError(f"{text!r} is no count", "it is a whole number from 1", "Write 10.")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Exit 0 where nothing was found, 1 where something was, 4 where the log was read in part.

    Slices exit 0 or 4.
    """
    flag_checks.check_logs(args)
    if args.threads is None:
        args.threads = _cores(args)
    if not 1 <= args.threads <= _MOST_THREADS:
        raise UsageError("no such number of threads", f"{args.threads} is not 1 to 256", "Use 1.")
    if args.dialect:
        from locard.cli import slices  # noqa: PLC0415 - DuckDB: --help must not pay for it

        return slices.translate(args, shelf(args))
    if not args.source and args.selector:
        args.source, args.selector = [f"label/{args.selector}"], ""  # as kubectl takes it
    if not args.source:
        raise UsageError(
            "no SOURCE was given",
            "locard logs has to know what to read: a file, a glob, a directory, journald,"
            " container/ID, pod/NAME, deployment/NAME, or - for standard input",
            "Write for example: locard logs /var/log/app.log",
        )
    asked = (args.where, args.select, args.by, args.top, args.sample, args.around, args.trace)
    if args.sql is not None or any(word is not None for word in asked):
        if args.errors:
            raise UsageError(
                "--errors is for the first pass", "a slice has no errors to judge", "Use --where."
            )
        from locard.cli import slices  # noqa: PLC0415 - as above

        return slices.run(args, shelf(args))
    return _first_pass(args)


def _cores(args: argparse.Namespace) -> int:
    """All cores on an operator's machine; where a target runs, locard steps back."""
    if args.beside or any(map(_is_written_here, args.source)):
        from locard.transport.footprint import step_back  # noqa: PLC0415 - as above

        step_back()
        return 1
    return len(os.sched_getaffinity(0))


def _is_written_here(source: str) -> bool:
    """Whether a process of this machine writes the log now, as far as its name and times tell."""
    if source == "journald" or source.startswith("container/"):
        return True
    try:
        return abs(time.time() - os.stat(source).st_mtime) < _LIVE_S  # noqa: PTH116 - a name may be no path
    except (OSError, ValueError):
        return False


def shelf(args: argparse.Namespace) -> Shelf | None:
    """Where scans are kept; None where they are not: what was read in part or told otherwise."""
    if args.no_keep or args.since or args.follow or args.field or args.log_tz or args.on:
        return None
    from locard.ledger.state import StateDirectory  # noqa: PLC0415 - as above
    from locard.logs.ask.kept_scans import Shelf  # noqa: PLC0415

    return Shelf.below(StateDirectory.find(args.state).path)


def _first_pass(args: argparse.Namespace) -> int:
    if args.output not in {"text", "json"}:
        raise UsageError(
            f"the first pass has no {args.output}",
            "rows come from slicing",
            "Add --where, --select or --by; or use -o json.",
        )
    show = functools.partial(_show, args)
    if len(args.source) == 1:
        return _judge_one(args, show)
    from locard.cli import several_logs  # noqa: PLC0415 - as above

    return several_logs.run(args, _judge_one, show)


def _judge_one(
    args: argparse.Namespace,
    show: Callable[[LogSummary, Concluded, WorkloadStates | None], None],
) -> int:
    """The first pass over one log, shown; its exit code."""
    import duckdb  # noqa: PLC0415 - as above

    from locard.cli.slices import given_of, state_path, wants  # noqa: PLC0415
    from locard.investigate import logs_alone  # noqa: PLC0415
    from locard.logs.ask import kept_scans, open_log  # noqa: PLC0415
    from locard.logs.ask.interpret import sheet_of  # noqa: PLC0415
    from locard.logs.scan.loader import Choice  # noqa: PLC0415
    from locard.model.workload_split import with_states  # noqa: PLC0415

    (source,) = args.source
    budget = Budget(parse_duration(args.budget))
    wanted, place = wants(args), shelf(args)
    since_s = wanted.since_s
    identity = kept_scans.Identity.of(source) if place and source != "-" else None
    given = given_of(args)
    look = None if args.quiet else functools.partial(_first_look, args)
    with open_log.scanned(
        source,
        budget.total_s,
        args.threads,
        wanted,
        given,
        first_look=look,
        state=state_path(args),
        judging=open_log.FOR_JUDGING,
        choice=Choice(raws=identity is not None and open_log.may_be_kept_whole(identity)),
    ) as table:
        summary = judged(args, table, since_s, budget)
        workload = table.workload() if table.workload else None
        summary = replace(with_states(summary, workload), flags=flag_checks.source_flags(args))
        concluded = logs_alone.conclude(summary, workload)
        show(summary, concluded, workload)
        sys.stdout.flush()
        if place and identity:
            # The screen is out; without a copy the next question reads the log again.
            with contextlib.suppress(duckdb.Error):
                cheap = open_log.reads_again(identity, table)
                cheap = cheap or not open_log.may_be_kept_whole(identity)
                open_log.take_loose_lines(table)
                fresh = sheet_of(table, source)
                open_log.keep_scan(place, identity, fresh, cheap=cheap)
    if summary.partial or (workload is not None and workload.refused):
        return ExitCode.PARTIAL
    found = summary.changed or concluded.alarming or concluded.incident
    return ExitCode.FINDINGS if found else ExitCode.NOTHING_FOUND


def _first_look(args: argparse.Namespace, table: Table) -> None:
    """What a pipe that goes on has said so far, on standard error: the answer comes at its end."""
    import duckdb  # noqa: PLC0415 - as above

    from locard.logs.judge import first_pass  # noqa: PLC0415
    from locard.model.errors import LocardError  # noqa: PLC0415
    from locard.report.plain import safe  # noqa: PLC0415

    errors = ""
    with contextlib.suppress(LocardError, duckdb.Error):
        found = first_pass.judge(args.source[0], table, errors=args.errors or "", tz=args.tz)
        bad = sum(point.errors for point in found.series)
        changed = f", {' and '.join(found.changed)} changed" if found.changed else ""
        if found.series:  # there is none without times
            errors = f", {count(bad, 'error')} ({found.error_means}){changed}"
    sys.stderr.write(
        safe(f"locard: so far {count(table.records, 'record')}{errors}; reading on until the end, ")
        + f"Ctrl-C or {args.budget}\n"
    )
    sys.stderr.flush()


def judged(
    args: argparse.Namespace, table: Table, since_s: float | None, budget: Budget
) -> LogSummary:
    """The first pass over as much as there is memory and time for.

    What takes longer than the budget is given up, and a sample is judged in its stead.
    """
    import duckdb  # noqa: PLC0415 - as above

    from locard.logs.ask import open_log  # noqa: PLC0415
    from locard.logs.ask.slice import too_large  # noqa: PLC0415
    from locard.logs.judge import first_pass  # noqa: PLC0415

    (source,) = args.source
    for attempt in range(_ATTEMPTS):
        time_s = max(budget.left_s * (1 - 1 / _SAMPLE), _LEAST_S) if attempt == 0 else _ENOUGH_S
        try:
            with open_log.interrupted_after(table.db, time_s) as late:
                return first_pass.judge(
                    source, table, since_s, errors=args.errors or "", tz=args.tz
                )
        except duckdb.OutOfMemoryException as error:
            last = error
            table.keep_newer_half()
        except duckdb.InterruptException:
            if not late.is_set():
                raise
            table.keep_one_in(_SAMPLE)
    raise too_large(source) from last


def _show(
    args: argparse.Namespace,
    summary: LogSummary,
    concluded: Concluded,
    workload: WorkloadStates | None,
) -> None:
    from locard.report import document, logs_screen  # noqa: PLC0415
    from locard.report.plain import safe  # noqa: PLC0415

    if args.output == "json":
        sys.stdout.write(
            document.dumps(document.logs_document(summary, concluded, workload)) + "\n"
        )
        return
    for line in logs_screen.screen(
        summary,
        concluded.claims,
        concluded.findings,
        args.tz,
        workload=workload,
    ):
        sys.stdout.write(safe(line) + "\n")
