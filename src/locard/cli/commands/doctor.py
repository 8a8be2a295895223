"""What can be done here: what is missing, what works, and the extensions that there are.

Each missing part says what it would add and how to get it. Nothing is installed or changed.

  locard doctor deployment/payment -n shop    who may do what there, and which containers can be entered

What a user may do in a cluster is asked with `kubectl auth can-i`; nothing is tried.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

from locard import __version__, catalogue
from locard.cli import common, parser
from locard.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    import argparse

    from locard.guard.capability import Check


def arguments(into: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    into.add_argument(
        "target", metavar="TARGET", nargs="?", help="pod/NAME, deployment/NAME or label/KEY=VALUE"
    )
    into.add_argument(
        "-n", "--namespace", default="", metavar="NAME", help="of kubectl, as the next three"
    )
    into.add_argument("--context", default="", metavar="NAME")
    into.add_argument("-c", "--container", default="", metavar="NAME")
    into.add_argument("--all-containers", action="store_true")
    common.output_arguments(into, ("text", "json"), times=False)


def run(args: argparse.Namespace) -> int:
    """Exit 0 when everything is there, 4 when something is missing."""
    if args.target is not None:
        return _target(args)
    given = next((f for f in ("namespace", "context", "container") if getattr(args, f)), "")
    if given or args.all_containers:
        raise UsageError(
            f"--{given or 'all-containers'} is for a target in a cluster", "none was given",
            "Write for example: locard doctor deployment/payment -n shop",
        )  # fmt: skip
    from locard.guard import capability  # noqa: PLC0415 - keeps `--help` quick
    from locard.report import document  # noqa: PLC0415

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


def _target(args: argparse.Namespace) -> int:
    """What can be done with one target: of those that there are, a cluster's."""
    from locard.cluster.access_words import told  # noqa: PLC0415
    from locard.cluster.asking import Whose  # noqa: PLC0415 - keeps `--help` quick
    from locard.investigate import cluster_look  # noqa: PLC0415
    from locard.report import document  # noqa: PLC0415
    from locard.report.plain import safe  # noqa: PLC0415

    if not args.target.startswith(cluster_look.KINDS):
        raise UsageError(
            f"doctor knows nothing of {args.target!r}",
            "it looks at pod/NAME, deployment/NAME and their like, or, without a target, at this machine",
            "Write for example: locard doctor deployment/payment -n shop",
        )
    if shutil.which("kubectl") is None:
        raise UsageError("kubectl is not installed here", "a cluster is asked by it", "Install it.")
    whose = Whose(args.target, args.namespace, args.context)
    found = cluster_look.look(whose, args.container, all_containers=args.all_containers)
    if args.output == "json":
        sys.stdout.write(document.dumps(document.cluster_document(found)) + "\n")
    else:
        from locard.report import cluster_rows  # noqa: PLC0415

        for label, words in cluster_rows.rows(found):
            if words:
                _row(safe(label), safe(words))
            else:
                print(f"\n{safe(label)}")
    if found.states is None and not any(a.allowed for a in found.access.answers):
        return ExitCode.UNREACHABLE
    rights = all(one.allowed for one in told(found.access))
    whole = rights and not any(p.closed for p in found.places)
    return ExitCode.NOTHING_FOUND if whole else ExitCode.PARTIAL


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
