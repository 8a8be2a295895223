"""The systemd journal of a unit, or all of it, as `journalctl -o json` gives it.

Reads: `journald` (or `journal`), `unit/payment.service`. With `--since` the window and as much again before it.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import MOST_LOG, Impact, Template
from locard.logs.input.piped import ask, open_command
from locard.logs.sources import _journal_limits
from locard.model.log_beginning import Origin
from locard.model.target_names import require
from locard.model.wording import count

if TYPE_CHECKING:
    from locard.guard.command import Command
    from locard.logs.input.log_source import Source, Wants
    from locard.model.log_holes import RateLimit
    from locard.model.place import Place

NAMES = ("journald", "unit/payment.service")
RANK = 10
JOURNAL = Template(
    ("journalctl", "--output=json", "--no-pager", "--quiet", "--unit={unit:word*}",
     "--since=-{since:number*}s"),
    Impact.READS,
    3600.0,
    max_bytes=MOST_LOG,
    streams=True,
    needs=(needs.JOURNALCTL,),
)  # fmt: skip
FOLLOWED = Template(
    ("journalctl", "--output=json", "--no-pager", "--quiet", "--unit={unit:word*}",
     "--since=-{since:number*}s", "--follow"),
    Impact.READS,
    86400.0,
    max_bytes=MOST_LOG,
    streams=True,
    needs=(needs.JOURNALCTL,),
)  # fmt: skip
# With JSON journalctl never says why there is nothing.
REASON = Template(
    ("journalctl", "--no-pager", "--lines=0"), Impact.READS, 20.0, needs=(needs.JOURNALCTL,)
)
# How far back the files go that journalctl reads, archived ones and all.
HEADER = Template(
    ("journalctl", "--header", "--no-pager"), Impact.READS, 20.0, needs=(needs.JOURNALCTL,)
)
_ELSEWHERE = "journals that were archived elsewhere (journalctl --directory), or the log backend if they are shipped to one"
# How many lines of a unit are kept: its own limit, else that of journald; and what was thrown away.
LIMIT = Template(
    ("systemctl", "show", "--no-pager",
     "--property=LogRateLimitIntervalUSec,LogRateLimitBurst,ActiveState", "--", "{unit:word}"),
    Impact.READS,
    10.0,
    needs=(needs.SYSTEMCTL,),
)  # fmt: skip
CONFIG = Template(
    ("systemd-analyze", "cat-config", "--no-pager", "systemd/journald.conf"),
    Impact.READS,
    10.0,
    needs=(needs.SYSTEMD_ANALYZE,),
)
SUPPRESSED = Template(
    ("journalctl", "--output=json", "--output-fields=N_DROPPED,OBJECT_SYSTEMD_UNIT,MESSAGE", "--no-pager",
     "--quiet", "--lines=1000", "--since=-{since:number*}s",
     "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"),
    Impact.READS,
    20.0,
    output="json",
    needs=(needs.JOURNALCTL,),
)  # fmt: skip
COMMANDS = (JOURNAL, FOLLOWED, REASON, HEADER, LIMIT, CONFIG, SUPPRESSED)
# `Head realtime timestamp: Sun 2025-11-23 07:00:00 UTC (64432abc1234)`: microseconds in base 16.
_HEAD = re.compile(
    r"^\s*Head realtime timestamp:.*\(([0-9a-f]{6,16})\)\s*$", re.IGNORECASE | re.MULTILINE
)
_PATH = re.compile(r"^\s*File path:\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_ALL = frozenset({"journal", "journald"})


def fits(name: str) -> bool:
    """`journald`, `journal` and `unit/NAME`, where no file is called so."""
    return (name in _ALL or name.startswith("unit/")) and not Path(name).exists()


def open(name: str, wants: Wants) -> Source:  # noqa: A001 - the protocol's name
    """What journalctl prints."""
    unit = (require("unit", name.removeprefix("unit/")),) if name.startswith("unit/") else ()
    since = (f"{2 * wants.since_s:.0f}",) if wants.since_s else ()
    template = FOLLOWED if wants.follow else JOURNAL
    source = open_command(
        name,
        template.fill(unit=unit, since=since),
        COMMANDS,
        place=wants.place,
        get="run where systemd runs, or name the service's log file",
    )
    source.why_empty = functools.partial(_why_empty, wants.place)
    asked_from = time.time() - 2 * wants.since_s if wants.since_s else None
    source.origins = functools.partial(_origins, wants.place, asked_from)
    source.limits = functools.partial(_limits, wants.place, unit, since)
    return source


def _limits(place: Place, unit: tuple[str, ...], since: tuple[str, ...]) -> tuple[RateLimit, ...]:
    """How many lines journald lets through of the unit, and what it said of those that it did not."""

    def said(command: Command) -> str:
        return ask(command, COMMANDS, place, "journald").text

    suppressed = said(SUPPRESSED.fill(since=since))
    if not unit:
        return _journal_limits.of_all(suppressed)
    name = _journal_limits.unit_name(unit[0])
    shown = said(LIMIT.fill(unit=name))
    return (_journal_limits.of_unit(name, shown, said(CONFIG.fill()), suppressed),)


def _origins(place: Place, asked_from: float | None) -> tuple[Origin, ...]:
    """How far back the journal itself goes, by the headers of its files."""
    command = HEADER.fill()
    output = ask(command, COMMANDS, place, "journald")
    text = output.text
    heads = [at for h in _HEAD.findall(text) if (at := int(h, 16) / 1e6)]
    paths = _PATH.findall(text)
    said = " ".join(output.stderr.decode("utf-8", "replace").split())[
        :200
    ]  # what this user may not see
    if not heads:
        why = said or "no header of a journal file could be read"
        return (Origin(asked=asked_from is not None, note="how far back the journal goes could not be read",
                       evidence=(f"{command.by_hand}: {why}",)),)  # fmt: skip
    volatile = all(p.startswith("/run/") for p in paths) and bool(paths)
    keeper = "the journal, kept in memory (/run) since this boot," if volatile else "the journal"
    oldest = dt.datetime.fromtimestamp(min(heads), dt.UTC)
    evidence = (
        f"{command.by_hand}: {count(len(heads), 'file')}, the oldest entry of "
        f"{oldest:%Y-%m-%dT%H:%M:%SZ}"
    )
    return (
        Origin(
            asked=asked_from is not None,
            asked_from=asked_from,
            keeper=keeper,
            kept_from=min(heads),
            evidence=(evidence,),
            rest=(f"sudo journalctl: {said}",) if said else (),
            others=(_ELSEWHERE,),
        ),
    )


def _why_empty(place: Place) -> str:
    """What journalctl says of its journal; empty where it has no complaint."""
    command = REASON.fill()
    output = ask(command, COMMANDS, place, "journald")
    return " ".join(output.stderr.decode("utf-8", "replace").split())[:300]
