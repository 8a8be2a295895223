"""Read a log without a hypothesis: what changed and when, who is affected, what they share.

SOURCE is a file of newline-delimited JSON, or - for standard input. Lines that are no JSON cost
only themselves and are counted.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.cli import common
from locard.guard.budget import parse_duration
from locard.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import tzinfo

    from locard.model.facts import AffectedValue, BlastRadius, LogSummary

_COLUMNS = 78
_MOST_THREADS = 256
_SHOWN = 4


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("source", metavar="SOURCE", help="a log file, or - for standard input")
    parser.add_argument(
        "--since", metavar="TIME", help="only this long before the last record, plus a baseline"
    )
    parser.add_argument("--budget", default="60s", metavar="TIME", help="time box (default 60s)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="cores (default 1)")
    common.output_arguments(parser, ("text", "json"))


def run(args: argparse.Namespace) -> int:
    """Exit 0 where nothing changed, 1 where something did, 4 where the log was read in part."""
    from locard.logs import first_pass  # noqa: PLC0415 - DuckDB: --help must not pay for it
    from locard.model.codec import encode  # noqa: PLC0415
    from locard.report import document  # noqa: PLC0415

    if not 1 <= args.threads <= _MOST_THREADS:
        raise UsageError("no such number of threads", f"{args.threads} is not 1 to 256", "Use 1.")
    summary = first_pass.summarise(
        args.source,
        budget_s=parse_duration(args.budget),
        since_s=parse_duration(args.since) if args.since else None,
        threads=args.threads,
    )
    if args.output == "json":
        body = {"schema": document.SCHEMA, "kind": "logs", "log_summary": encode(summary)}
        sys.stdout.write(document.dumps(body) + "\n")
    else:
        from locard.report.plain import safe  # noqa: PLC0415

        for line in screen(summary, args.tz):
            sys.stdout.write(safe(line)[:_COLUMNS] + "\n")
    if summary.partial:
        return ExitCode.PARTIAL
    return ExitCode.FINDINGS if summary.changed else ExitCode.NOTHING_FOUND


def screen(log: LogSummary, tz: tzinfo | None = None) -> Iterator[str]:
    """The first pass as lines of at most 80 columns, the key finding last."""
    from locard.model.headline import milliseconds  # noqa: PLC0415
    from locard.report import words  # noqa: PLC0415

    yield f"{log.source}: {log.records:,} records, read by {log.engine}"
    if log.first is not None and log.last is not None:
        yield f"  {words.day(log.first, tz)} to {words.clock(log.last, tz, zone=True)}"
    yield f"  error: {log.error_means}"
    if log.bad_means != log.error_means:
        yield f"  bad:   {log.bad_means}"
    for item in log.skipped:
        yield f"  skipped {item.lines:,} lines: {item.reason}, such as {item.sample[:40]!r}"
    if log.series:
        points = log.series
        kind = "errors"
        if "errors" not in log.changed and "latency" in log.changed:
            points = tuple(replace(p, errors=0) for p in points)
            kind = "p99"
        yield ""
        yield f"  {kind:<7} {words.sparkline(points, 64, log.onset)}"
    if log.onset is not None:
        yield f"  onset   {words.interval(log.onset, tz)} (95 %), {log.shape}"
        early = _share(log.before_bad, log.before_total)
        yield f"  rate    {early} bad before, {_share(log.after_bad, log.after_total)} after"
        if log.before_p99_ms is not None and log.after_p99_ms is not None:
            early, late = milliseconds(log.before_p99_ms), milliseconds(log.after_p99_ms)
            yield f"  p99     {early} before, {late} after"
        yield from _radius(log)
    yield from _messages(log)
    for gap in log.gaps:
        yield f"  cannot tell: {gap}"
    yield ""
    yield from _key_finding(log)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2g} %" if whole else "unknown"


def _radius(log: LogSummary) -> Iterator[str]:
    telling = [r for r in log.blast_radius if r.affected and (r.unaffected or r.unknown)]
    everyone = [r.field for r in log.blast_radius if r.affected and r not in telling]
    for side, title in (
        ("affected", "affected"),
        ("unaffected", "confirmed unaffected"),
        ("unknown", "unknown (too few requests)"),
    ):
        rows = [(r, getattr(r, side)) for r in telling if getattr(r, side)]
        if rows:
            yield ""
            yield f"  {title}"
        for radius, values in rows:
            yield f"    {_row(radius, values, side)}"
    if everyone:
        yield f"  every value is affected: {', '.join(everyone)}"


def _row(radius: BlastRadius, values: tuple[AffectedValue, ...], side: str) -> str:
    shown = [
        f"{v.value[:32]} {100 * v.after_rate:.2g} %" if side == "affected" else v.value[:32]
        for v in values[:_SHOWN]
    ]
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return f"{radius.field:<12} {', '.join(shown)}{more}"


def _messages(log: LogSummary) -> Iterator[str]:
    grown = [m for m in log.messages if m.after][:3]
    if grown and log.onset is not None:
        yield ""
        yield "  messages of bad requests (before, after)"
        for item in grown:
            yield f"    {item.before:>6,} {item.after:>7,}  {item.template[:56]}"


def _key_finding(log: LogSummary) -> Iterator[str]:
    if not log.changed:
        yield "Nothing changed in this log: no onset of errors or latency was found."
        return
    if not log.correlates:
        yield f"{' and '.join(log.changed).capitalize()} changed; nothing sets the bad requests"
        yield "apart: it is everyone."
    for item in log.correlates:
        pairs = " and ".join(f"{f}={v}" for f, v in item.values)
        yield f"{pairs}"
        yield (
            f"  explains {100 * item.share_of_excess:.0f} % of the excess "
            f"({item.support:,} bad requests, {item.lift:.1f} times the overall rate)"
        )
    if log.trace_ids and log.source != "-":
        # Both are untrusted: quoted, so that pasting the line runs nothing else.
        yield f"one such request: grep {shlex.quote(log.trace_ids[0])} {shlex.quote(log.source)}"
