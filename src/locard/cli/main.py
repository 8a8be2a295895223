"""The command line: finds the command by file name, maps errors to exit codes, nothing else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, cast

from locard import __version__, catalogue
from locard.cli import signals, streams
from locard.cli.parser import Parser
from locard.model import columns
from locard.model.errors import ExitCode, LocardError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Protocol

    class Command(Protocol):
        """What a file in cli/commands offers; its docstring's first line is the help line."""

        def arguments(self, parser: argparse.ArgumentParser) -> None:
            """Declare the arguments."""

        def run(self, args: argparse.Namespace) -> int:
            """Do it; returns the exit code."""


_EPILOG = """\
A target is written KIND/NAME: pid/4242, proc/gunicorn, unit/payment.service, host/local; host/web-17
by ssh; container/ID, pod/NAME, deployment/NAME. --on host/NAME looks for it on another machine.

`locard TARGET` is short for `locard investigate TARGET`.

Exit codes: 0 nothing found, 1 findings, 2 usage, 3 not reachable or not permitted, 4 partial.
"""
_TARGET_KINDS = (
    "pid/", "proc/", "unit/", "host/", "container/", "pod/", "deployment/", "deploy/", "statefulset/", "sts/",
    "daemonset/", "ds/", "job/", "cronjob/", "replicaset/", "rs/", "label/",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Never lets a traceback through."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with streams.safe(), signals.as_interrupts():
            return _run(words)
    except LocardError as error:
        return _complain(error)


def _run(words: list[str]) -> int:
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except LocardError as error:
        code = _complain(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = ExitCode.PARTIAL
    except BrokenPipeError:
        code = _reader_gone(words)
    except SystemExit as error:  # of argparse; or of Rich, which found nobody at the other end
        code = _reader_gone(words) if error.code == 1 else int(error.code or 0)
    except (OSError, MemoryError) as error:
        code = _unwritten(error)
    except Exception as error:  # noqa: BLE001 - the last net: a bug, said as one
        code = _internal(error)
    return code


def _reader_gone(words: list[str]) -> int:
    """The reader of our output has gone (`| head`): end quietly, but what was cut short is no 0."""
    streams.drop_output()
    only_help = not words or words[-1] in {"-h", "--help", "--version"}
    return ExitCode.NOTHING_FOUND if only_help else ExitCode.PARTIAL


def _unwritten(error: OSError | MemoryError) -> int:
    if isinstance(error, MemoryError):
        return _complain(
            _CutShortError(
                "out of memory",
                "what was asked needs more than there is",
                "Ask for less: a shorter --since, a narrower --where.",
            )
        )
    if not streams.is_unwritable(error):
        return _internal(error)
    streams.drop_output()
    return _complain(
        _CutShortError(
            "the answer could not be written",
            error.strerror or str(error),
            "Make room, or write it elsewhere. What was recorded is safe: locard incident list",
        )
    )


class _CutShortError(LocardError):
    """The answer is not there, or not whole (exit 4)."""

    exit_code = ExitCode.PARTIAL


def _dispatch(words: list[str]) -> int:
    name = next((w for w in words if not w.startswith("-")), None)
    if name is None or words[0] in {"-h", "--help", "--version"}:
        return _top(words)
    if name.startswith(_TARGET_KINDS):
        words.insert(0, "investigate")
        name = "investigate"
    if not any(e.name == name for e in catalogue.entries("command")):
        from locard.cli.unknown_word import no_command  # noqa: PLC0415 - only when it went wrong

        raise no_command(words, name, _TARGET_KINDS)
    module = catalogue.entry("command", name).load()
    command = cast("Command", module)
    parser = Parser(prog=f"locard {name}", description=(module.__doc__ or "").strip())
    command.arguments(parser)
    if hasattr(module, "more_arguments"):  # that depend on what is asked for
        module.more_arguments(parser, words)
    parser.add_common(name)
    words.remove(name)
    return command.run(parser.parse_words(words))


def _top(words: list[str]) -> int:
    parser = Parser(
        prog="locard",
        description="Production debugging without a debugger.",
        epilog=_EPILOG + _commands(),
        usage="locard COMMAND [ARGUMENTS]",
    )
    parser.add_argument("--version", action="version", version=f"locard {__version__}")
    parser.parse_args(words)
    parser.print_help()
    return ExitCode.NOTHING_FOUND if words else ExitCode.USAGE


def _commands() -> str:
    every = (f"  {e.name:<12} {e.summary()}" for e in catalogue.entries("command"))
    return "\n".join(["", "commands:", "", *every])


def _complain(error: LocardError) -> int:
    from locard.guard.redact import Redactor  # noqa: PLC0415 - only when something went wrong
    from locard.report.plain import safe  # noqa: PLC0415 - as above

    shown = Redactor.passing().credentials
    room = columns.of(sys.stderr) or columns.asked_for()
    room = None if room is None else min(room, columns.WIDEST)
    for label, text in (
        ("locard: ", safe(shown(error.what))),
        ("  why:  ", safe(shown(error.why), lines=True)),
        ("  next: ", safe(shown(error.next_step))),
    ):
        sys.stderr.write(columns.labelled(label, text, room) + "\n")
    if error.command:
        sys.stderr.write(f"        {safe(shown(error.command))}\n")
    return error.exit_code


def _internal(error: Exception) -> int:
    import traceback  # noqa: PLC0415 - only when something went wrong

    from locard.guard.redact import Redactor  # noqa: PLC0415 - as above
    from locard.report.plain import safe  # noqa: PLC0415 - as above

    said = Redactor.passing().credentials(f"{type(error).__name__}: {error}")
    where = traceback.extract_tb(error.__traceback__)[-1]
    sys.stderr.write(
        f"locard: internal error: {safe(said)}\n"
        f"  why:  a bug in locard, at {where.filename.rpartition('locard/')[2]}:{where.lineno}\n"
        "  next: what was stored is safe (locard incident list); please report this with the"
        " command that you ran. LOCARD_DEBUG=1 shows the whole traceback.\n"
    )
    if os.environ.get("LOCARD_DEBUG"):
        traceback.print_exception(error)
    return ExitCode.INTERNAL
