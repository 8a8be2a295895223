"""The systemd journal of a unit, or all of it, as `journalctl -o json` gives it.

Reads: `journald` (or `journal`), `unit/payment.service`. With `--since` the window and as much again before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template
from locard.guard.gate import Gate
from locard.logs.input.piped import open_command
from locard.transport import local

if TYPE_CHECKING:
    from locard.logs.input.log_source import Source, Wants

NAMES = ("journald", "unit/payment.service")
RANK = 10
JOURNAL = Template(
    ("journalctl", "--output=json", "--no-pager", "--quiet", "--unit={unit:word*}",
     "--since=-{since:number*}s"),
    Impact.READS,
    3600.0,
    needs="systemd (journalctl)",
)  # fmt: skip
FOLLOWED = Template(
    ("journalctl", "--output=json", "--no-pager", "--quiet", "--unit={unit:word*}",
     "--since=-{since:number*}s", "--follow"),
    Impact.READS,
    86400.0,
    needs="systemd (journalctl)",
)  # fmt: skip
# With JSON journalctl never says why there is nothing.
REASON = Template(
    ("journalctl", "--no-pager", "--lines=0"), Impact.READS, 20.0, needs="systemd (journalctl)"
)
COMMANDS = (JOURNAL, FOLLOWED, REASON)
_ALL = frozenset({"journal", "journald"})


def fits(name: str) -> bool:
    """`journald`, `journal` and `unit/NAME`, where no file is called so."""
    return (name in _ALL or name.startswith("unit/")) and not Path(name).exists()


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """What journalctl prints."""
    unit = (name.removeprefix("unit/"),) if name.startswith("unit/") else ()
    since = (f"{2 * wants.since_s:.0f}",) if wants.since_s else ()
    template = FOLLOWED if wants.follow else JOURNAL
    source = open_command(
        name,
        template.fill(unit=unit, since=since),
        COMMANDS,
        get="run where systemd runs, or name the service's log file",
    )
    source.why_empty = _why_empty
    return source


def _why_empty() -> str:
    """What journalctl says of its journal; empty where it has no complaint."""
    gate = Gate({"journald": COMMANDS}, Impact.READS, cap=Impact.READS, why="logs are read")
    command = REASON.fill()
    output = local.run(gate.admit("journald", command), command.bound_s)
    return " ".join(output.stderr.decode("utf-8", "replace").split())[:300]
