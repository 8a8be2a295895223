"""What can be done here: what is missing, what works, and the extensions that there are.

Each missing part says what it would add and how to get it. Nothing is installed or changed.
"""

from __future__ import annotations

import contextlib
import getpass
import shutil
import stat
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from locard import __version__, catalogue
from locard.cli import common, parser
from locard.model.errors import ExitCode

if TYPE_CHECKING:
    import argparse

    from locard.guard.capability import Check


def arguments(into: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    into.add_argument(
        "--sudoers",
        nargs="?",
        const="",
        metavar="USER",
        help="print rules for /etc/sudoers.d by which USER (you) may run what only reads, as root",
    )
    common.output_arguments(into, ("text", "json"), times=False)


def run(args: argparse.Namespace) -> int:
    """Exit 0 when everything is there, 4 when something is missing."""
    from locard.guard import capability  # noqa: PLC0415 - keeps `--help` quick
    from locard.report import document  # noqa: PLC0415

    if args.sudoers is not None:
        sys.stdout.write(_sudoers(args.sudoers))
        return ExitCode.NOTHING_FOUND
    checks = capability.checks()
    listed = {
        kind: [(e.name, e.layer, e.summary()) for e in catalogue.entries(kind)]
        for kind in ("probe", "rule", "scenario", "command")
    }
    if args.output == "json":
        body = {
            "schema": document.SCHEMA,
            "kind": "doctor",
            "version": __version__,
            "capabilities": [
                {"name": c.name, "works": c.works, "adds": c.adds, "detail": c.detail, "get": c.get}
                for c in checks
            ],
            **{
                f"{kind}s": [{"name": n, "layer": layer, "summary": s} for n, layer, s in rows]
                for kind, rows in listed.items()
            },
        }
        sys.stdout.write(document.dumps(body) + "\n")
    else:
        _text(checks, listed)
    return ExitCode.NOTHING_FOUND if all(c.works for c in checks) else ExitCode.PARTIAL


def _sudoers(user: str) -> str:
    """The rules for what every probe declares; programs lie where they lie on this machine."""
    from locard.guard import sudo  # noqa: PLC0415
    from locard.investigate import start  # noqa: PLC0415

    every = [template for declared in start.declared().values() for template in declared]
    templates = [t for t in every if t.argv[0] != "locard" and _root_reads_more(t.argv)]
    names = {template.argv[0] for template in templates}
    paths = {name: path for name in sorted(names) if (path := shutil.which(name))}
    return sudo.snippet(user or getpass.getuser(), (), templates, paths)


def _root_reads_more(argv: tuple[str, ...]) -> bool:
    """Whether it names no file, or one that not everybody may read."""
    paths = [word for word in argv[1:] if word.startswith("/")]
    return not paths or not all(_everybody_reads(path) for path in paths)


def _everybody_reads(path: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(Path(path).stat().st_mode & stat.S_IROTH)
    return False


def _text(checks: tuple[Check, ...], listed: dict[str, list[tuple[str, str | None, str]]]) -> None:
    print(f"locard {__version__} on Python {sys.version.split()[0]}")
    missing = [check for check in checks if not check.works]
    print("\nmissing" if missing else "\nnothing is missing")
    for check in missing:
        _row(f"  {'NO':<4} {check.name:<16} ", check.detail)
        _row(" " * 24 + "adds: ", check.adds)
        _row(" " * 24 + "get:  ", check.get)
    print("\nworks")
    for check in checks:
        if check.works:
            _row(f"  {'yes':<4} {check.name:<16} ", check.detail)
    for kind, rows in listed.items():
        print(f"\n{kind}s")
        for name, layer, words in rows:
            _row(f"  {f'{layer}/{name}' if layer else name:<28} ", words)


def _row(label: str, words: str) -> None:
    """A label, and words beside it that go on below each other."""
    indent = " " * len(label.lstrip("\n"))
    print(
        textwrap.fill(
            words,
            parser.width(),
            initial_indent=label,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
    )
