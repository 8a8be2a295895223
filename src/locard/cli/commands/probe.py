"""Ask one probe about a target, by name and with its parameters; without a name, list them.

  locard probe
  locard probe thread-states pid/4242 --rounds 40 --pause-s 0.05
  locard probe sockets host/web-17

The answer is recorded as that of an investigation is, and can be asked again with the same words.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from locard import catalogue
from locard.cli import common, live
from locard.model.errors import ExitCode, UsageError, did_you_mean

if TYPE_CHECKING:
    import argparse

    from locard.catalogue import Entry


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="a probe: thread-states, host/cpu, …"
    )
    parser.add_argument("target", nargs="*", metavar="TARGET", help=live.TARGET_HELP)
    parser.add_argument(
        "--logs", action="append", default=[], metavar="SOURCE", help="for probes of logs"
    )
    parser.add_argument("--metrics", action="append", default=[], metavar="URL", help="of metrics")
    live.place_arguments(parser)
    live.ask_arguments(parser)
    common.output_arguments(parser, ("text", "json", "markdown"))


def more_arguments(parser: argparse.ArgumentParser, words: list[str]) -> None:
    """The flags of the probe that is named: its parameters."""
    from locard.model import params  # noqa: PLC0415 - keeps `--help` quick

    named = [w for w in words if not w.startswith("-") and w != "probe"]
    names = [w for w in named if _entry(w)]  # others are the values of flags
    entry = _entry(names[0]) if names else None
    kind = getattr(entry.load(), "PARAMS", None) if entry is not None else None
    group = parser.add_argument_group(f"parameters of {names[0]}") if kind else None
    if group is not None and kind is not None:
        params.add_arguments(group, kind)


def run(args: argparse.Namespace) -> int:
    """Ask it, or list what there is."""
    if args.name is None:
        _list(args)
        return ExitCode.NOTHING_FOUND
    entry = _entry(args.name)
    if entry is None:
        every = [e.name for e in catalogue.entries("probe")]
        raise UsageError(
            f"no probe {args.name!r}",
            did_you_mean(args.name, every) or f"there is: {', '.join(every)}",
            "List them with what they take: locard probe",
        )
    if not args.target and not args.hosts:
        raise UsageError(
            "no TARGET was given",
            "a probe asks about a process, a unit, a container or a host",
            f"Write for example: locard probe {args.name} host/local",
        )
    from locard.cli.commands import investigate  # noqa: PLC0415 - as above
    from locard.investigate import probing  # noqa: PLC0415 - as above
    from locard.model import params  # noqa: PLC0415 - as above
    from locard.model.evidence import Layer  # noqa: PLC0415 - as above

    given = params.given(args)
    probing.params_of(probing.load(entry), given)  # said before anything is opened
    key = probing.key(entry)
    return investigate.ask(args, args.target, (Layer(entry.layer or ""),), (key, given))


def _entry(name: str) -> Entry | None:
    """The probe of a name, or of layer/name."""
    every = catalogue.entries("probe")
    return next((e for e in every if name in {e.name, f"{e.layer}/{e.name}"}), None)


def _list(args: argparse.Namespace) -> None:
    from locard.model import params  # noqa: PLC0415 - as above
    from locard.report import document  # noqa: PLC0415 - as above

    every = [(e, getattr(e.load(), "PARAMS", None)) for e in catalogue.entries("probe")]
    if args.output == "json":
        body = {
            "schema": document.SCHEMA,
            "kind": "probes",
            "probes": [
                {
                    "name": e.name,
                    "layer": e.layer,
                    "summary": e.summary(),
                    "params": params.schema(kind) if kind else {"type": "object", "properties": {}},
                }
                for e, kind in every
            ],
        }
        sys.stdout.write(document.dumps(body) + "\n")
        return
    for entry, kind in every:
        flags = " ".join(params.usage(f) for f in params.fields(kind)) if kind else ""
        print(f"{entry.layer}/{entry.name}".ljust(24) + entry.summary())
        if flags:
            print(" " * 24 + flags)
