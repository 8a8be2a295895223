"""The systemd journal of a unit, or all of it, as `journalctl -o json` gives it.

Reads: `journal`, `unit/payment.service`. With `--since` the window and as much again before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from locard.guard.command import Impact, Template
from locard.logs.piped import open_command

if TYPE_CHECKING:
    from locard.logs.reading import Source, Wants

NAMES = ("journal", "unit/payment.service")
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
COMMANDS = (JOURNAL, FOLLOWED)


def fits(name: str) -> bool:
    """`journal` and `unit/NAME`, where no file is called so."""
    return (name == "journal" or name.startswith("unit/")) and not Path(name).exists()


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """What journalctl prints."""
    unit = (name.removeprefix("unit/"),) if name.startswith("unit/") else ()
    since = (f"{2 * wants.since_s:.0f}",) if wants.since_s else ()
    template = FOLLOWED if wants.follow else JOURNAL
    return open_command(
        name,
        template.fill(unit=unit, since=since),
        COMMANDS,
        get="run where systemd runs, or name the service's log file",
    )
