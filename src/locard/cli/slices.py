"""`locard logs` when it slices: asks, writes the rows to standard output and the rest to stderr."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from typing import TYPE_CHECKING, Any

from locard.guard import private
from locard.guard.budget import parse_duration
from locard.investigate.places import place_of
from locard.logs.ask import open_log
from locard.logs.ask import slice as slicing
from locard.logs.ask.slice import Question
from locard.logs.fields.given_roles import LOG_ZONE, parse_flags
from locard.logs.fields.meaning import Meaning
from locard.logs.input.log_source import Wants
from locard.logs.lines.loose_lines import KEPT_AS_TEXT
from locard.logs.table import memory
from locard.model.errors import ExitCode, StateError, UsageError
from locard.model.place import HERE
from locard.model.wording import count, example
from locard.report import rows
from locard.report.plain import safe
from locard.where import times
from locard.where.parse import parse

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from locard.logs.ask import projection
    from locard.logs.ask.kept_scans import Shelf
    from locard.logs.ask.log_view import Sheet
    from locard.logs.ask.slice import Answer


_WINDOW = "30s"
_WHOLE = {"text", "json", "jsonl"}  # where a record shows the fields that it has and no others


def wants(args: argparse.Namespace) -> Wants:
    """What the flags want of the source."""
    return Wants(
        since_s=parse_duration(args.since) if args.since else None,
        follow=args.follow,
        namespace=args.namespace,
        context=args.context,
        selector=args.selector,
        container=args.container,
        all_containers=args.all_containers,
        previous=args.previous,
        place=place_of(args.on) if args.on else HERE,
    )


def given_of(args: argparse.Namespace) -> dict[str, str]:
    """What was said of the log: roles with their fields, and the zone of its times."""
    zone = {LOG_ZONE: args.log_tz.key} if args.log_tz else {}
    return {**parse_flags(args.field), **zone}


def state_path(args: argparse.Namespace) -> Path | None:
    """Where files may be written; None for a part of an investigation, which writes none."""
    if args.beside:
        return None
    from locard.ledger.state import StateDirectory  # noqa: PLC0415 - only who scans needs it

    return StateDirectory.find(args.state).path


def _asked(
    args: argparse.Namespace, name: str, shelf: Shelf | None
) -> contextlib.AbstractContextManager[Sheet]:
    budget_s, given = parse_duration(args.budget), given_of(args)
    return open_log.asked(
        name,
        budget_s,
        args.threads,
        shelf,
        wants=wants(args),
        given=given,
        state=state_path(args),
        reads=_reads(args),
        pick=functools.partial(_picked, args) if len(args.source) == 1 else None,
    )


def _picked(args: argparse.Namespace, sheet: Sheet) -> list[int] | None:
    """The lines of the records that the flags ask for; None if they are too many to be read again."""
    from locard.logs.ask.found_lines import MOST  # noqa: PLC0415 - only who scans needs it

    clock = times.Clock(args.tz, sheet.meaning.last)
    return slicing.numbers(sheet, question(args, clock), clock, MOST)


def _reads(args: argparse.Namespace) -> projection.Reads | None:
    """What the question reads; None where that is every field."""
    whole = not (args.select or args.by)
    if args.sql is not None or args.dialect:
        return None
    if whole and (args.output not in _WHOLE or not (args.where or args.around or args.trace)):
        return None
    from locard.logs.ask.projection import Reads  # noqa: PLC0415 - only who scans needs it

    return Reads.of(
        parse(args.where) if args.where is not None else None,
        (*_names([args.select] if args.select else []), *_names(args.by or [])),
        times=bool(args.around or args.since or args.trace),
        errors=bool(args.by) and args.where is None,
        ids=args.trace is not None,
        whole=whole,
    )


def run(args: argparse.Namespace, shelf: Shelf | None) -> int:
    """Answer the question that the flags ask; exits 0, or 4 where a log was read in part."""
    _check(args)
    if len(args.source) > 1:
        return _traces(args, shelf)
    with _asked(args, args.source[0], shelf) as sheet:
        with contextlib.ExitStack() as bounds:
            if args.sql is not None:  # it can ask for anything
                bounds.enter_context(memory.bounded())
            # It is answered here; other rows come as fast as they are read.
            with open_log.interrupted_after(sheet.db, parse_duration(args.budget)):
                answer = _answer(args, sheet)
            _write(args, sheet, answer)
        sys.stdout.flush()
        _say(args, sheet, answer)
        return ExitCode.PARTIAL if sheet.partial else ExitCode.NOTHING_FOUND


def _check(args: argparse.Namespace) -> None:
    others = {
        "--where": args.where, "--select": args.select, "--by": args.by, "--sample": args.sample,
        "--top": args.top, "--around": args.around, "--trace": args.trace, "--since": args.since,
    }  # fmt: skip
    given = [flag for flag, value in others.items() if value is not None]
    if args.sql is not None and given:
        raise UsageError(
            f"--sql and {given[0]} do not go together",
            "the SQL is the whole question",
            "Say it in the SQL, or leave --sql out.",
        )
    if args.by and (args.select or args.sample):
        flag = "--select" if args.select else "--sample"
        raise UsageError(
            f"--by and {flag} do not go together", "--by counts records", f"Leave {flag} out."
        )
    if len(args.source) > 1 and args.trace is None:
        raise UsageError(
            "slicing reads one SOURCE", f"{len(args.source)} were given", "--trace takes several."
        )
    if args.output == "parquet" and sys.stdout.isatty():
        raise UsageError(
            "Parquet is not for a terminal", "it is binary", "Write it to a file: … > rows.parquet"
        )


def question(args: argparse.Namespace, clock: times.Clock) -> Question:
    """What the flags ask; raises UsageError."""
    return Question.of(
        args.where,
        select=_names([args.select] if args.select else []),
        by=_names(args.by or []),
        top=args.top,
        sample=args.sample,
        seed=(args.seed or 0) % (1 << 62),
        around=times.moment(args.around, clock) if args.around else None,
        window_s=parse_duration(args.window or _WINDOW),
        since_s=parse_duration(args.since) if args.since else None,
        trace=args.trace,
    )


def _names(words: list[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for word in words for name in word.split(",") if name.strip())
    if words and not names:
        raise UsageError(
            f"{','.join(words)!r} names no field", "field names stand between commas", "Write a,b."
        )
    return names


def _answer(args: argparse.Namespace, sheet: Sheet) -> Answer:
    if args.sql is not None:
        return slicing.sql(sheet, args.sql)
    clock = times.Clock(args.tz, sheet.meaning.last)
    # A sheet that has only what was asked for needs no conditions, and is in order.
    asked = Question() if sheet.whole is not None else question(args, clock)
    return (slicing.counts if asked.by else slicing.records)(sheet, asked, clock)


def _write(args: argparse.Namespace, sheet: Sheet, answer: Answer) -> None:
    if args.output == "parquet":
        _write_parquet(args, sheet, answer)
        return
    head = _head(args, sheet.source, sheet.records, partial=bool(sheet.partial))
    rows.write(answer, args.output, sys.stdout, head)


def _head(
    args: argparse.Namespace, source: str | list[str], records: int, *, partial: bool
) -> dict[str, Any]:
    """What a JSON document begins with."""
    if args.output != "json":
        return {}
    from locard.report.document import SCHEMA  # noqa: PLC0415 - only for this output

    return {
        "schema": SCHEMA,
        "kind": "slice",
        "source": source,
        "records": records,
        "partial": partial,
    }


def _write_parquet(args: argparse.Namespace, sheet: Sheet, answer: Answer) -> None:
    """Through a private file in the state directory: Parquet has its table of contents at the end."""
    import shutil  # noqa: PLC0415 - only for this output

    from locard.ledger.state import StateDirectory  # noqa: PLC0415
    from locard.logs.table.parquet import to_parquet  # noqa: PLC0415

    state = StateDirectory.find(args.state).path
    folder = state / "scans"
    path = folder / f"output-{os.getpid()}.new"
    private.check(state, "scans", make=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        to_parquet(sheet.db, answer.typed_sql, path, answer.parameters, args.threads)
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StateError(
            f"cannot write below {folder}", str(error), "Pass a directory: --state DIR"
        ) from error
    finally:
        path.unlink(missing_ok=True)


def _say(args: argparse.Namespace, sheet: Sheet, answer: Answer) -> None:
    """What is not data: how many, what was skipped, where jq would have stopped."""
    if args.quiet:
        return
    if args.output != "parquet":
        unit = "row" if args.sql is not None or args.by else "record"
        records = count(sheet.records, "record")
        _note(f"{count(answer.matched, unit)}, of {records} in {sheet.source}")
    for reason, lines, sample in sheet.skipped:
        kept = reason in KEPT_AS_TEXT
        done = f"kept as text {count(lines, 'line')}" if kept else f"skipped {count(lines, 'line')}"
        _note(f"{done}: {reason}{example(lines, sample)}")
    if sheet.partial:
        _note(f"read in part: {sheet.partial}")
    stop = open_log.find_jq_stop(sheet)
    if stop is not None and stop.line == 1:
        _note("jq would have read none of it: the first line is no JSON")
    elif stop is not None and stop.line is not None:
        lost = open_log.behind(sheet.whole or sheet, stop)
        _note(
            f"jq would have stopped at line {stop.line:,} of {sheet.lines:,} "
            f"and not read the {count(lost, 'record')} from there on"
        )


def _note(text: str) -> None:
    sys.stderr.write(f"locard: {safe(text)}\n")


def _traces(args: argparse.Namespace, shelf: Shelf | None) -> int:
    """The lines of one request from several logs, in the order of time."""
    if args.output == "parquet":
        raise UsageError(
            "no Parquet of several SOURCEs", "their fields differ", "Use -o jsonl or -o csv."
        )
    partial = False
    found: list[tuple[float, int, dict[str, tuple[Any, str]]]] = []
    with contextlib.ExitStack() as stack:
        sheets = [stack.enter_context(_asked(args, name, shelf)) for name in args.source]
        for place, sheet in enumerate(sheets):
            partial = partial or bool(sheet.partial)
            clock = times.Clock(args.tz, sheet.meaning.last)
            lines = slicing.timed(sheet, question(args, clock), clock)
            found += [(at, place, {"source": (sheet.source, "text"), **line}) for at, line in lines]
        found.sort(key=lambda item: item[:2])
        answer = slicing.joined([line for _, _, line in found], whole=bool(args.select))
        head = _head(args, args.source, sum(s.records for s in sheets), partial=partial)
        rows.write(answer, args.output, sys.stdout, head)
        sys.stdout.flush()
        if not args.quiet:
            _note(
                f"{count(answer.matched, 'record')} of this request in {count(len(sheets), 'log')}"
            )
    return ExitCode.PARTIAL if partial else ExitCode.NOTHING_FOUND


def translate(args: argparse.Namespace, shelf: Shelf | None) -> int:
    """Print the question in the language of a backend; what it cannot say goes to stderr.

    With a SOURCE its fields and roles are known; without one, names are taken as they are.
    """
    from locard import catalogue  # noqa: PLC0415 - only for this flag
    from locard.logs.backends._terms import asked_of  # noqa: PLC0415

    dialect = catalogue.entry("dialect", args.dialect).load()
    if args.sql is not None:
        raise UsageError("--sql cannot be translated", "it is SQL already", "Use --where and --by.")
    _check(args)
    with contextlib.ExitStack() as stack:
        meaning = Meaning({}, {"time": "time"}, {"time": "time"}, any_name=True)
        if args.source:
            meaning = stack.enter_context(_asked(args, args.source[0], shelf)).meaning
        clock = times.Clock(args.tz, meaning.last)
        source = args.source[0] if args.source else "-"
        written = dialect.write(asked_of(question(args, clock), meaning, clock, source))
    # Names and values may come from the log: nothing of them reaches a terminal raw.
    sys.stdout.write(safe(written.text, lines=True) + "\n")
    for item in written.unsaid:
        _note(f"{args.dialect} does not say: {item}")
    return ExitCode.NOTHING_FOUND
