"""Writes docs/catalog.md and docs/locard-1.schema.json; `--check` fails if one is not current."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

from locard import catalogue
from locard.report.schema import schema

_DOCS = Path(__file__).parent.parent / "docs"
_HEADINGS = {
    "probe": "Probes: read-only questions, in the order of the layers",
    "rule": "Rules: patterns that are found",
    "scenario": "Scenarios: real broken services of the lab",
    "format": "Formats: how log lines are written",
    "source": "Sources: where logs come from",
    "dialect": "Dialects: languages that `locard logs --as NAME` writes",
    "command": "Commands",
}


def catalog() -> str:
    """The page of all extensions."""
    parts = [
        "# Catalogue",
        "",
        "Written by `make docs` from the docstrings of the extensions; `make check` proves it current.",
    ]
    for kind, heading in _HEADINGS.items():
        parts += ["", f"## {heading}"]
        for entry in catalogue.entries(kind):
            name = f"{entry.layer}/{entry.name}" if entry.layer else entry.name
            doc = inspect.cleandoc(entry.load().__doc__ or "")
            parts += ["", f"### {name}", "", doc]
            templates = getattr(entry.load(), "COMMANDS", ())
            for template in templates:
                residue = ", ".join(r.what for r in template.residue) or "none"
                words = f"impact {template.impact.word}, residue {residue}"
                argv = " ".join(template.argv)
                parts += ["", f"Runs `{argv}`: {words}, at most {template.bound_s:g} s."]
    return "\n".join(parts) + "\n"


def main() -> int:
    """Write or check."""
    pages = {"catalog.md": catalog(), "locard-1.schema.json": json.dumps(schema(), indent=1) + "\n"}
    stale = []
    for name, new in pages.items():
        path = _DOCS / name
        if "--check" not in sys.argv:
            path.write_text(new, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != new:
            stale.append(name)
    if stale:
        sys.stderr.write(f"not current: {', '.join(stale)}; run make docs\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
