"""Run the whole method on a target: logs, metrics, runtime, kernel, host; one record, a verdict.

Logs and metrics are found from the target's open files and listening sockets unless they are
named. Nothing is changed on the target; --dry-run shows exactly what would run. Several targets, or
one on many --hosts, are compared: who differs from its peers comes first.
"""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.cli import common, live, streams
from locard.guard.budget import Budget
from locard.guard.command import Impact
from locard.model.errors import ExitCode, LocardError, StateError, UnreachableError, UsageError
from locard.model.place import HERE

if TYPE_CHECKING:
    import argparse

    from locard.investigate.places import Asked
    from locard.investigate.plan import Planned
    from locard.investigate.start import Instance, Options, Sessions
    from locard.model.evidence import Layer
    from locard.model.fleet import Fleet
    from locard.model.investigation import Investigation, Question
    from locard.transport.session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("target", nargs="+", metavar="TARGET", help=live.TARGET_HELP)
    parser.add_argument(
        "--logs", action="append", default=[], metavar="SOURCE", help="a log file, or - for stdin"
    )
    parser.add_argument(
        "--metrics", action="append", default=[], metavar="URL", help="an exposition endpoint"
    )
    parser.add_argument(
        "--since", default="10m", metavar="TIME", help="window of interest (default 10m)"
    )
    live.place_arguments(parser)
    live.ask_arguments(parser)
    parser.add_argument("--html", metavar="PATH", help="write the HTML report there")
    common.output_arguments(parser, ("text", "json", "markdown", "html"))


def run(args: argparse.Namespace) -> int:
    """Investigate; the exit code says what came of it."""
    for url in args.metrics:
        if not url.startswith(("http://", "https://")):
            raise UsageError(
                f"{url!r} is no metrics endpoint",
                "it has to be an http or https URL",
                "Write for example --metrics http://127.0.0.1:9000/metrics.",
            )
    return ask(args, args.target)


def ask(
    args: argparse.Namespace,
    refs: list[str],
    layers: tuple[Layer, ...] | None = None,
    only: tuple[str, dict[str, str]] | None = None,
    view: live.View | None = None,
) -> int:
    """Ask the layers (all where none are named) about every target, and show what came of it.

    `only`: one probe by its key, with its parameters. `view`: who shows it while it goes on, and its end.
    """
    asked = live.targets(args, refs)
    with contextlib.ExitStack() as stack:
        home = _begin_home(args, refs, stack)
        return _ask(args, asked, home, layers, only, view=view)


def _begin_home(
    args: argparse.Namespace, refs: list[str], stack: contextlib.ExitStack
) -> Session | None:
    """This machine's session, which opens while we import the rest: 0.1 s of each command.

    None where a cluster is asked first: nobody would listen to the session meanwhile.
    """
    if any(ref.partition("/")[0] in live.IN_CLUSTER for ref in refs):
        return None
    from locard.transport.reach import open_session  # noqa: PLC0415 - keeps `--help` quick

    home = open_session(HERE, lend_stdin="-" in getattr(args, "logs", ()))
    stack.callback(home.close)
    return home


def _ask(
    args: argparse.Namespace,
    asked: tuple[Asked, ...],
    home: Session | None,
    layers: tuple[Layer, ...] | None,
    only: tuple[str, dict[str, str]] | None,
    *,
    view: live.View | None,
) -> int:
    from locard.investigate import start  # noqa: PLC0415 - as above
    from locard.investigate.spread import spread  # noqa: PLC0415 - as above
    from locard.model.evidence import Layer  # noqa: PLC0415 - as above

    question = live.question(
        args, logs=_sources(args, asked), metrics=tuple(getattr(args, "metrics", ()))
    )
    _check_output(args, many=len(asked) > 1)
    options = start.Options(
        state=args.state,
        incident=args.incident,
        listener=view or common.progress(args),
        budget=Budget(question.budget_s),
        began=common.process_began(),
        layers=layers or tuple(Layer),
        only=only,
        debug_image=args.debug_image if question.allow == Impact.INJECTS.word else "",
        alone=len(asked) == 1,
    )
    asked = spread(asked, args.namespace, args.context, args.container, options.budget)
    if only is not None:  # what cannot be asked it: the logs of a workload beside its containers
        asked = tuple(one for one in asked if set(one.layers) & set(options.layers)) or asked
    options = replace(options, alone=len(asked) == 1)
    with start.opened(home) as sessions:
        if args.dry_run:
            return _dry_run(asked, question, sessions, options, args)
        if len(asked) == 1:
            return _one(asked[0], question, sessions, options, args, view=view)
        return _many(asked, question, sessions, options, args)


def _one(
    asked: Asked,
    question: Question,
    sessions: Sessions,
    options: Options,
    args: argparse.Namespace,
    *,
    view: live.View | None,
) -> int:
    from locard.investigate import fleet  # noqa: PLC0415 - as above

    found = fleet.investigate_one(asked, question, sessions, options)
    if view is not None:
        return view.ended(found)
    code = live.exit_code(found)
    if options.only is not None and args.output == "text":
        from locard.report import probe_screen  # noqa: PLC0415 - as above
        from locard.report.plain import safe  # noqa: PLC0415 - as above

        try:
            for line in probe_screen.screen(found, args.tz):
                print(safe(line))
            sys.stdout.flush()
        except BrokenPipeError:  # who reads has seen enough (`| head`): the answer itself is whole
            streams.drop_output()
    else:
        _show(found, code, args)
    if options.only is not None:
        from locard.cli import observing  # noqa: PLC0415 - as above

        observing.write_stacks(found, args)
    return code


def _many(
    asked: tuple[Asked, ...],
    question: Question,
    sessions: Sessions,
    options: Options,
    args: argparse.Namespace,
) -> int:
    from locard.investigate import fleet  # noqa: PLC0415 - as above

    quiet = replace(options, listener=common.quiet())
    found = fleet.investigate(asked, question, sessions, quiet, live.tell(args))
    code = live.fleet_exit_code(found)
    if options.only is not None and args.output == "text":
        _show_answers(found, args)
    _show_fleet(found, code, args, evidence=options.only is not None)
    return code


def _show_answers(found: Fleet, args: argparse.Namespace) -> None:
    """What each member answered to one probe."""
    from locard.report import probe_screen  # noqa: PLC0415 - as above
    from locard.report.plain import safe  # noqa: PLC0415 - as above

    for member in found.members:
        if member.found is not None:
            for line in probe_screen.screen(member.found, args.tz):
                print(safe(line))
            print()


def _sources(args: argparse.Namespace, asked: tuple[Asked, ...]) -> tuple[str, ...]:
    """The logs as the parts of an investigation name them: these run in another folder."""
    names = getattr(args, "logs", None)
    if not names:
        return ()
    from locard.logs.input import log_source  # noqa: PLC0415 - keeps `--help` quick

    if not all(a.place.local for a in asked):
        return tuple(names)  # they lie at the target's place
    for name in names:
        log_source.require(name)  # its error names the log as it was given
    return tuple(map(log_source.absolute, names))


def _check_output(args: argparse.Namespace, *, many: bool) -> None:
    """What is to be written can be, before anything runs."""
    from locard.cli import observing  # noqa: PLC0415 - keeps `--help` quick

    files = observing.stack_files(args) | (
        {"--html": page} if (page := getattr(args, "html", None)) else {}
    )
    if args.dry_run and (files or args.output not in {"text", "json"}):
        given = next(iter(files), f"-o {args.output}")
        raise UsageError(
            f"--dry-run and {given} do not go together",
            "a plan is text or JSON, and there is no report",
            "Leave one of them out.",
        )
    if many and (files or getattr(args, "diff", None) or args.output not in {"text", "json"}):
        raise UsageError(
            "many targets have no page",
            "they are shown as text or JSON; each has its own investigation in the record",
            "Leave it out, or name one target.",
        )
    for path in files.values():
        common.require_writable(path)
    observing.check_stack_files(args)


def _dry_run(
    asked: tuple[Asked, ...],
    question: Question,
    sessions: Sessions,
    options: Options,
    args: argparse.Namespace,
) -> int:
    from locard.investigate import start  # noqa: PLC0415 - as above
    from locard.investigate.plan import Unplanned, planned  # noqa: PLC0415
    from locard.report import document, plan  # noqa: PLC0415
    from locard.report.plain import safe  # noqa: PLC0415

    every: list[Planned] = []
    unreached: list[Unplanned] = []
    for one in asked:
        try:
            instance = _surveyed(one, question, sessions, options)
        except LocardError as error:
            if len(asked) == 1:
                raise
            unreached.append(Unplanned(one.label, error.why))
            continue
        assert instance.context is not None  # noqa: S101 - it has been surveyed
        assert instance.gate is not None  # noqa: S101 - as above
        layers = tuple(layer for layer in options.layers if layer in one.layers)
        commands = planned(instance.context, instance.gate, layers, options.only)
        every += commands
        if args.output != "json":
            print(plan.text(start.shown(instance.context), commands), end="")
    if args.output == "json":
        print(document.dumps(document.plan_document(every, unreached)))
    else:
        for missed in unreached:
            print(safe(f"{missed.target}: nothing is planned, {missed.why}"))
    return ExitCode.PARTIAL if unreached else ExitCode.NOTHING_FOUND


def _surveyed(one: Asked, question: Question, sessions: Sessions, options: Options) -> Instance:
    """A target that was found at its place, whose session is closed again; raises LocardError."""
    from locard.investigate import start  # noqa: PLC0415 - as above

    instance = start.Instance(replace(question, ref=one.ref), one.place, one.there)
    if one.closed:
        raise UnreachableError(f"{one.label} was not entered", one.closed, "See: locard doctor")
    instance.session = sessions.to(one.place)
    try:
        start.prepare([instance], sessions.home, options.budget)
    finally:
        sessions.leave(one.place)
    if instance.error is not None:
        raise instance.error
    return instance


def _show(found: Investigation, code: int, args: argparse.Namespace) -> None:
    from locard.report import render  # noqa: PLC0415

    unwritten = None
    page = getattr(args, "html", None)
    if page:
        try:
            common.write_file(page, render.html(found, tz=args.tz))
        except StateError as error:
            unwritten = error
    if args.output == "text":
        from locard.report import terminal  # noqa: PLC0415

        terminal.show(
            found, tz=args.tz, color=not args.no_color, report=None if unwritten else page
        )
    else:
        sys.stdout.write(render.render(found, args.output, code, tz=args.tz))
    if unwritten:  # the verdict is out
        sys.stdout.flush()
        raise unwritten


def _show_fleet(
    found: Fleet, code: int, args: argparse.Namespace, *, evidence: bool = False
) -> None:
    from locard.report import document, fleet_screen  # noqa: PLC0415
    from locard.report.plain import safe  # noqa: PLC0415

    if args.output == "json":
        sys.stdout.write(
            document.dumps(document.fleet_document(found, code, evidence=evidence)) + "\n"
        )
        return
    # The logs of a whole workload are the story; its containers are looked at beside it.
    stories = [m.found for m in found.members if m.found is not None and m.workload]
    for story in stories:
        _show(story, code, args)
        if args.output == "text":
            print()
    if args.output != "text":
        if not stories:
            raise UnreachableError(
                "there is no page", "the logs of the workload were not read", "Read it as text."
            )
        return
    for line in fleet_screen.screen(found):
        sys.stdout.write(safe(line) + "\n")
