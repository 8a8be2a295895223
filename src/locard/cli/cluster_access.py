"""`locard doctor deployment/NAME`: who may do what in the cluster, and which containers can be entered."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from locard.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any


def show(args: argparse.Namespace, row: Callable[[str, str], None]) -> int:
    """Exit 0 when everything may be done there, 4 when not; nothing is tried, `can-i` is asked."""
    from locard.cluster.access_words import told  # noqa: PLC0415 - keeps `--help` quick
    from locard.cluster.asking import Whose  # noqa: PLC0415 - as above
    from locard.guard.redact import Redactor  # noqa: PLC0415 - as above
    from locard.investigate import cluster_look  # noqa: PLC0415 - as above
    from locard.report import cluster_rows, document  # noqa: PLC0415 - as above
    from locard.report.plain import safe  # noqa: PLC0415 - as above

    if shutil.which("kubectl") is None:
        raise UsageError("kubectl is not installed here", "a cluster is asked by it", "Install it.")
    whose = Whose(args.target, args.namespace, args.context)
    found = cluster_look.look(whose, args.container, all_containers=args.all_containers)
    shown = Redactor.passing().credentials
    if args.output == "json":
        body = _each_text(document.cluster_document(found), shown)
        sys.stdout.write(document.dumps(body) + "\n")
    else:
        for label, words in cluster_rows.rows(found):
            if words:
                row(safe(label), safe(shown(words)))
            else:
                print(f"\n{safe(label)}")
    if found.states is None and not any(a.allowed for a in found.access.answers):
        return ExitCode.UNREACHABLE
    rights = all(one.allowed for one in told(found.access))
    whole = rights and not any(p.closed for p in found.places)
    return ExitCode.NOTHING_FOUND if whole else ExitCode.PARTIAL


def _each_text(value: Any, way: Callable[[str], str]) -> Any:
    """A document with each of its texts as it may be shown."""
    if isinstance(value, str):
        return way(value)
    if isinstance(value, dict):
        return {key: _each_text(v, way) for key, v in value.items()}
    return [_each_text(v, way) for v in value] if isinstance(value, list) else value
