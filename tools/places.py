"""Writes docs/places.md: what was tested over which way in, from a run of tests/transport/test_verbs.py.

.venv/bin/python -m pytest tests/transport/test_verbs.py --junitxml verbs.xml
.venv/bin/python tools/places.py verbs.xml
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

OUT = Path(__file__).parent.parent / "docs" / "places.md"
WAYS = ("local", "ssh", "podman", "podman, BusyBox")
MEANING = {
    "local": "this machine",
    "ssh": "an ordinary user behind a real sshd, in namespaces",
    "podman": "inside of a container that has a python3",
    "podman, BusyBox": "inside of a container without one",
}
HEAD = """# What was tested over which way in

Made by tools/places.py from a run of tests/transport/test_verbs.py: a mark stands where the whole command passed for
real. Hosts with odd shells, refusals, jump hosts and bad ends are in tests/transport, pods of a real Kubernetes in
tests/cluster and tests/logs/sources (`make test-k8s`), a real far machine with systemd in tests/vm (`make test-vm`).

"""


def main(path: str) -> None:
    """Read the run, write the table."""
    cells: dict[str, dict[str, str]] = {}
    for case in ET.parse(path).iter("testcase"):
        found = re.fullmatch(r"test_(\w+)\[(.+)\]", case.get("name", ""))
        if found:
            kinds = {child.tag for child in case}
            mark = (
                "failed"
                if kinds & {"failure", "error"}
                else "skipped"
                if "skipped" in kinds
                else "yes"
            )
            cells.setdefault(found[1].replace("_", " "), {})[found[2]] = mark
    rows = [
        f"| {verb} | " + " | ".join(of.get(w, "-") for w in WAYS) + " |"
        for verb, of in cells.items()
    ]
    legend = "\n".join(f"- **{way}**: {words}" for way, words in MEANING.items())
    table = "\n".join(["| | " + " | ".join(WAYS) + " |", "|---" * (len(WAYS) + 1) + "|", *rows])
    OUT.write_text(
        f"{HEAD}{table}\n\n{legend}\n- -: not tried; it needs a python3 at the place, or has no meaning there\n"
    )


if __name__ == "__main__":
    main(sys.argv[1])
