"""Run the whole method on a target: logs, metrics, runtime, kernel, host; one record, a verdict.

Logs and metrics are found from the target's open files and listening sockets unless they are
named. Nothing is changed on the target; --dry-run shows exactly what would run.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from locard.cli import common
from locard.guard.budget import Budget, parse_duration
from locard.guard.command import Impact
from locard.model.errors import ExitCode, StateError, UsageError, did_you_mean
from locard.model.finding import Role
from locard.model.investigation import Question
from locard.model.place import HERE

if TYPE_CHECKING:
    import argparse

    from locard.guard.gate import Gate
    from locard.model.investigation import Investigation
    from locard.model.target import Context


_KINDS = ("pid", "proc", "unit", "host")
_LATER = ("container", "pod", "deployment")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("target", help="pid/4242, proc/gunicorn, unit/payment.service, host/local")
    parser.add_argument(
        "--logs", action="append", default=[], metavar="SOURCE", help="a log file, or - for stdin"
    )
    parser.add_argument(
        "--metrics", action="append", default=[], metavar="URL", help="an exposition endpoint"
    )
    parser.add_argument("--budget", default="3m", metavar="TIME", help="time box (default 3m)")
    parser.add_argument(
        "--since", default="10m", metavar="TIME", help="window of interest (default 10m)"
    )
    parser.add_argument(
        "--allow",
        default="samples",
        metavar="IMPACT",
        help="highest impact: reads, samples (default), pauses, injects",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would run; run nothing")
    parser.add_argument("--html", metavar="PATH", help="write the HTML report there")
    parser.add_argument("--incident", metavar="ID", help="add to an incident of this id")
    common.output_arguments(parser, ("text", "json", "markdown", "html"))
    common.state_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Investigate; the exit code says what came of it."""
    from locard.investigate import start  # noqa: PLC0415 - keeps `--help` quick

    question = Question(
        ref=args.target,
        logs=_sources(args.logs),
        metrics=tuple(args.metrics),
        budget_s=parse_duration(args.budget),
        window_s=parse_duration(args.since),
        allow=Impact.parse(args.allow).word,
    )
    for url in question.metrics:
        if not url.startswith(("http://", "https://")):
            raise UsageError(
                f"{url!r} is no metrics endpoint",
                "it has to be an http or https URL",
                "Write for example --metrics http://127.0.0.1:9000/metrics.",
            )
    if question.budget_s <= 0:
        raise UsageError("the budget is zero", "nothing can run in no time", "Pass --budget 3m.")
    began = common.process_began()
    _require(question)
    _check_output(args)
    options = start.Options(
        state=args.state,
        incident=args.incident,
        listener=common.progress(args),
        budget=Budget(question.budget_s),
        began=began,
    )
    with start.opened(lend_stdin="-" in question.logs) as sessions:
        instance = start.Instance(question, HERE, question.ref, sessions.home)
        start.prepare([instance], sessions.home, options.budget)
        if instance.error is not None:
            raise instance.error
        if args.dry_run:
            assert instance.context and instance.gate
            return _dry_run(instance.context, instance.gate, args)
        (found,) = start.investigate([instance], sessions, options)
    code = exit_code(found)
    _show(found, code, args)
    return code


def _sources(names: list[str]) -> tuple[str, ...]:
    """The logs as the parts of an investigation name them: these run in another folder."""
    if not names:
        return ()
    from locard.logs.input import log_source  # noqa: PLC0415 - keeps `--help` quick

    for name in names:
        log_source.require(name)  # its error names the log as it was given
    return tuple(map(log_source.absolute, names))


def _check_output(args: argparse.Namespace) -> None:
    """What is to be written can be, before anything runs."""
    if args.dry_run and (args.html or args.output not in {"text", "json"}):
        given = "--html" if args.html else f"-o {args.output}"
        raise UsageError(
            f"--dry-run and {given} do not go together",
            "a plan is text or JSON, and there is no report",
            "Leave one of them out.",
        )
    if args.html:
        common.require_writable(args.html)


def _require(question: Question) -> None:
    """A target of a known kind: before anything is looked at."""
    kind, slash, _ = question.ref.partition("/")
    near = did_you_mean(kind, _KINDS) if slash and kind not in _KINDS + _LATER else ""
    if near:
        raise UsageError(
            f"{question.ref!r} is no target", near, "Write for example pid/4242 or proc/NAME."
        )


def exit_code(found: Investigation) -> int:
    """Partial beats findings, findings beat none; what is about strangers is no finding here."""
    if found.partial:
        return ExitCode.PARTIAL
    host = found.target.kind == "host"
    mine = [f for f in found.findings if host or f.role is not Role.CONTEXT]
    return ExitCode.FINDINGS if mine else ExitCode.NOTHING_FOUND


def _dry_run(context: Context, gate: Gate, args: argparse.Namespace) -> int:
    from locard.investigate import start  # noqa: PLC0415
    from locard.investigate.plan import planned  # noqa: PLC0415
    from locard.report import document, plan  # noqa: PLC0415

    every = planned(context, gate)
    if args.output == "json":
        print(document.dumps(document.plan_document(every)))
    else:
        print(plan.text(start.shown(context), every), end="")
    return ExitCode.NOTHING_FOUND


def _show(found: Investigation, code: int, args: argparse.Namespace) -> None:
    from locard.report import render  # noqa: PLC0415

    unwritten = None
    if args.html:
        try:
            common.write_file(args.html, render.html(found, tz=args.tz))
        except StateError as error:
            unwritten = error
    if args.output == "text":
        from locard.report import terminal  # noqa: PLC0415

        page = None if unwritten else args.html
        terminal.show(found, tz=args.tz, color=not args.no_color, report=page)
    else:
        sys.stdout.write(render.render(found, args.output, code, tz=args.tz))
    if unwritten:  # the verdict is out
        sys.stdout.flush()
        raise unwritten
