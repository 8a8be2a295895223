"""Runs the benchmarks and writes RESULTS.md: every number measured in this tree, in one run.

`bench/run.py NAME…` runs some of them and keeps the other sections as they are.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
# Each prints one Markdown section, or plain text that is shown as it is below its command.
BENCHES = {
    "startup": ("startup.py",),
    "lab": ("lab.py", "--seeds", "3"),
    "truth": ("truth.py",),
    "logs": ("logs.py", "1000", "3"),
    "firstpass": ("firstpass.py",),
    "memory": ("log_memory.py",),
    "templates": ("templates.py",),
    "template_cost": ("template_cost.py", "400"),
    "text_formats": ("text_formats.py",),
    "slice": ("slice.py",),
    "accuracy": ("accuracy.py",),
    "rca": ("rca.py",),
    "fleet": ("fleet.py",),
    "waiting": ("waiting.py",),
    "kubernetes": ("kubernetes.py",),
    "kernel": ("kernel.py",),
    "python": ("python.py",),
    "attach": ("attach.py",),
    "metrics": ("metrics.py",),
}


def conditions() -> str:
    """Where this was measured."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    name = model[1] if model else platform.machine()
    return (
        f"{os.cpu_count()} shared cores ({name}), {memory} GiB, Linux {platform.release()}, "
        f"Python {platform.python_version()}"
    )


def run(name: str) -> str:
    """The section of one benchmark, with when and where."""
    script, *words = BENCHES[name]
    argv = [sys.executable, str(HERE / script), *words]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    text = done.stdout.strip()
    if not text.startswith("## "):
        text = f"## {name.capitalize()}\n\n`bench/{' '.join((script, *words))}`\n\n```\n{text}\n```"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    return f"<!-- {name} -->\n{text}\n\nMeasured {day}: {conditions()}.\n"


def sections() -> dict[str, str]:
    """What stands in the file now."""
    if not RESULTS.exists():
        return {}
    parts = re.split(r"^<!-- (\w+) -->$", RESULTS.read_text("utf-8"), flags=re.MULTILINE)
    return {n: f"<!-- {n} -->{body}" for n, body in zip(parts[1::2], parts[2::2], strict=True)}


def main() -> int:
    """Run, write."""
    known = sections()
    for name in sys.argv[1:] or BENCHES:
        known[name] = run(name)
    head = (
        "# Results\n\nWritten by `make bench`. Every figure was measured in this tree by the command in\n"
        "bench/ that the section names; ratios come from one run on one machine.\n"
    )
    body = "\n".join(known[n].strip() + "\n" for n in BENCHES if n in known)
    RESULTS.write_text(f"{head}\n{body}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
