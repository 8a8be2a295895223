"""systemd units: how often they were restarted, how they ended, when they last came up.

Shows: for the units that the target runs in, or for all services of a host: how often systemd started
  each anew in the last hour and since it was started by hand, by what it ended, how long it runs now.
How: reads /proc/1/comm and, where its units are not known, /proc/PID/cgroup, then asks systemctl show, and journalctl for systemd's own
  messages of restarts and failures.
Impact: reads. systemctl and journalctl ask over a local socket and read journal files.
Limits: without systemd there is nothing to ask. A journal that may not be read leaves systemd's count,
  which has no times: then a last start within the hour counts as one. Units of a user's own manager
  are not asked. Verdicts: a restart within the hour warns; three, or one after a failure that has not
  come up again, are critical.
Source: systemctl(1), systemd.service(5), systemd.journal-fields(7); systemd's sd-messages.h.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.host import _files
from locard.model import semconv
from locard.model.evidence import Output, Scope
from locard.model.facts import Reading, Readings
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_INIT, _UPTIME = "/proc/1/comm", "/proc/uptime"
_HOUR_S = 3600.0
_RESTARTED = "5eb03494b6584870a536b337290809b3"  # "Scheduled restart job"
_FAILED = "d9b373ed55a64feb8242e02dbe79a49c"  # "Failed with result"
_PROPERTIES = "--property=Id,NRestarts,Result,ActiveState,SubState,ActiveEnterTimestampMonotonic"
_MESSAGES = (
    "journalctl", "--output=json", "--output-fields=UNIT,UNIT_RESULT,MESSAGE_ID", "--no-pager",
    "--quiet", "--since=-3600s", "--lines=2000", f"MESSAGE_ID={_RESTARTED}", f"MESSAGE_ID={_FAILED}",
)  # fmt: skip

SYSTEM = Template(("grep", "-s", "-H", "", _INIT, _UPTIME), Impact.READS, 3.0, output="counters")
GROUPS = Template(
    ("grep", "-s", "-a", "-H", "", "/dev/null", "/proc/{pid:pid*}/cgroup"),
    Impact.READS,
    3.0,
    output="counters",
)
SHOW = Template(
    ("systemctl", "show", "--no-pager", _PROPERTIES, "--", "{unit:word*}"),
    Impact.READS,
    5.0,
    needs=(needs.SYSTEMCTL,),
    output="counters",
)
SHOW_ALL = Template(
    ("systemctl", "show", "--no-pager", _PROPERTIES, "--", "*.service"),
    Impact.READS,
    10.0,
    needs=(needs.SYSTEMCTL,),
    output="counters",
)
MESSAGES = Template(
    (*_MESSAGES, "UNIT={unit:word*}"), Impact.READS, 5.0, needs=(needs.JOURNALCTL,), output="json"
)
COMMANDS = (SYSTEM, GROUPS, SHOW, SHOW_ALL, MESSAGES)

_MOST_UNITS = 8
_MOST_TOLD = 5  # of a host's
_OOM = "oom-kill"  # the result of a unit that the kernel or systemd-oomd killed for its memory
_LOOP = 3  # restarts within the hour
_NAME = re.compile(r"[A-Za-z0-9_.@][A-Za-z0-9_.:@+-]*\.service")
_MANAGER = re.compile(r"user@[0-9]+\.service")  # below it a user's own manager has its units


@dataclass(frozen=True, slots=True)
class _Unit:
    """What systemd says of one unit; `age_s` is how long it is up, where that is known."""

    name: str
    restarts: int
    result: str
    state: str
    sub: str
    age_s: float | None


def applies(context: Context) -> Skip | None:  # noqa: ARG001 - whether systemd runs is found by looking
    """Always."""
    return None


def scope(context: Context) -> Scope:
    """The units that the target runs in, or all services of the host."""
    return Scope(pids=context.target.pids, note="systemd units")


def plan(context: Context) -> Generator[Step, Output, None]:
    """Which units there are, what systemd says of them, and its messages of the last hour."""
    system = yield SYSTEM.fill()
    if _files.by_file([system]).get(_INIT, [""])[:1] != ["systemd"]:
        return
    units = _known(context)
    if not units and not context.target.pids:
        yield SHOW_ALL.fill()
        yield MESSAGES.fill(unit=())
        return
    if not units:
        units = _units_of((yield GROUPS.fill(pid=context.target.pids)))
    if units:
        yield SHOW.fill(unit=units)
        yield MESSAGES.fill(unit=units)


def _known(context: Context) -> tuple[str, ...]:
    """The services that are known of the target: its processes may have ended, as in a loop they do."""
    found: dict[str, None] = {}
    if context.target.kind == "unit":
        name = context.target.name
        found[name if "." in name else f"{name}.service"] = None
    for group in (*context.memory_cgroups, *context.cpu_cgroups, *context.pids_cgroups):
        found.update(dict.fromkeys(_services(group)))
    return tuple(n for n in found if _NAME.fullmatch(n))[:_MOST_UNITS]


def _units_of(output: Output) -> tuple[str, ...]:
    """The services whose control groups the processes are in."""
    found: dict[str, None] = {}
    for lines in _files.by_file([output]).values():
        for line in lines:
            number, _, rest = line.partition(":")
            controllers, _, group = rest.partition(":")
            if number == "0" or controllers == "name=systemd":
                found.update(dict.fromkeys(_services(group)))
    return tuple(found)[:_MOST_UNITS]


def _services(group: str) -> tuple[str, ...]:
    """The service of a control group; none where a user's own manager has it."""
    parts = [p for p in group.split("/") if p.endswith(".service")]
    if not parts or any(map(_MANAGER.fullmatch, parts)) or not _NAME.fullmatch(parts[-1]):
        return ()
    return (parts[-1],)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """A reading of each unit; of a host those that were restarted, and how many were not."""
    shown = [o for o in outputs if o.program == "systemctl"]
    if not shown:
        return ()
    uptime = " ".join(_files.by_file(outputs[:1]).get(_UPTIME, [])).split()[:1]
    now = float(uptime[0]) if uptime and re.fullmatch(r"\d+(\.\d+)?", uptime[0]) else None
    units = [u for o in shown for u in _units(o.text, now)]
    told = [o for o in outputs if o.program == "journalctl"]
    restarts, failures = _messages(told)
    whole = any("*.service" in o.argv for o in shown)
    readings = [_reading(u, restarts.get(u.name), failures.get(u.name)) for u in units]
    killed = [(u.name, n) for u in units if (n := failures.get(u.name, Counter())[_OOM])]
    kills = [_killed(name, n) for name, n in killed[:_MOST_TOLD]]
    if whole:
        bad = sorted((r for r in readings if r.value or r.verdict != "ok"), key=lambda r: -r.value)
        readings = [*bad[:_MOST_TOLD], *_rest(len(units), len(bad))]
        readings = [replace(r, of="host") for r in readings]
        kills = [replace(r, of="host") for r in kills]
    return (Readings((*readings, *kills)),) if readings else ()


def _killed(name: str, times: int) -> Reading:
    """What systemd says of kills, where the kernel's own log may not be read."""
    return Reading(
        semconv.SYSTEM_UNIT_OOM_KILLS, f"unit {name}", times, "{kill}", None, "critical",
        "its result was oom-kill", "target",
    )  # fmt: skip


def _units(text: str, now: float | None) -> Iterator[_Unit]:
    for block in text.split("\n\n"):
        known = dict(line.partition("=")[::2] for line in block.split("\n") if "=" in line)
        name, up = known.get("Id", ""), known.get("ActiveEnterTimestampMonotonic", "")
        if not name:
            continue
        age = now - int(up) / 1e6 if now is not None and up.isdigit() and int(up) else None
        yield _Unit(
            name,
            _files.whole(known.get("NRestarts")) or 0,
            known.get("Result", ""),
            known.get("ActiveState", ""),
            known.get("SubState", ""),
            None if age is None else max(0.0, age),
        )


def _messages(outputs: Sequence[Output]) -> tuple[dict[str, list[float]], dict[str, Counter[str]]]:
    """The times of each unit's restarts, and how often it failed by which result."""
    restarts: dict[str, list[float]] = {}
    failures: dict[str, Counter[str]] = {}
    for output in outputs:
        for line in output.text.splitlines():
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                continue
            unit, kind = (
                (found.get(k) for k in ("UNIT", "MESSAGE_ID"))
                if isinstance(found, dict)
                else ("", "")
            )
            if not isinstance(unit, str) or not unit:
                continue
            at = found.get("__REALTIME_TIMESTAMP")
            if kind == _RESTARTED and isinstance(at, str) and at.isdigit():
                restarts.setdefault(unit, []).append(output.started - int(at) / 1e6)
            elif kind == _FAILED:
                result = found.get("UNIT_RESULT")
                failures.setdefault(unit, Counter())[str(result)[:40]] += 1
    return restarts, failures


def _reading(unit: _Unit, ages: list[float] | None, failures: Counter[str] | None) -> Reading:
    """`ages`: seconds since each restart that the journal tells of."""
    many = len(ages or ())
    recent = unit.restarts > 0 and unit.age_s is not None and unit.age_s <= _HOUR_S
    value = max(many, int(recent))
    down = unit.sub == "auto-restart" or (
        unit.state == "failed" and unit.result == "start-limit-hit"
    )
    verdict: _files.Verdict = "ok"
    if value or down:
        verdict = "critical" if many >= _LOOP or down else "warning"
    return Reading(
        semconv.SYSTEM_UNIT_RESTARTS,
        f"unit {unit.name}",
        value,
        "{restart}",
        None,
        verdict,
        _words(unit, ages or [], failures or Counter()),
        "target",
    )


def _words(unit: _Unit, ages: list[float], failures: Counter[str]) -> str:
    state = f"{unit.state} ({unit.sub})" if unit.state else "its state is not told"
    parts = [
        state if unit.age_s is None or unit.state != "active" else f"{state} for {unit.age_s:.0f} s"
    ]
    if unit.restarts:
        parts.append(f"{count(unit.restarts, 'restart')} by systemd since it was started by hand")
        if not ages:
            parts.append("the journal that could be read tells of none in the last hour")
    if ages:
        parts.append(f"the last one {max(0.0, min(ages)):.0f} s ago")
    if failures:
        ended = ", ".join(f"{result} ({count(n, 'time')})" for result, n in failures.most_common(3))
        parts.append(f"it ended by {ended}")
    elif unit.result not in {"", "success"}:
        parts.append(f"it ended by {unit.result}")
    return "; ".join(parts)


def _rest(units: int, bad: int) -> Iterator[Reading]:
    if units > bad:
        detail = (
            f"{count(units - bad, 'service')} of {units} not restarted by systemd in the last hour"
        )
        yield Reading(
            semconv.SYSTEM_UNIT_RESTARTS, "other units", 0, "{restart}", None, "ok", detail
        )


_AT = 1795812600.0
_RESTART_LINE = f'{{"__REALTIME_TIMESTAMP":"1795812593522938","UNIT":"batch.service","MESSAGE_ID":"{_RESTARTED}"}}\n'
_FAILED_LINE = (
    f'{{"__REALTIME_TIMESTAMP":"1795812593500000","UNIT":"batch.service","MESSAGE_ID":"{_FAILED}",'
    '"UNIT_RESULT":"oom-kill"}\n'
)
_SHOWN = (
    "NRestarts=9\nResult=success\nId=batch.service\nActiveState=active\nSubState=running\n"
    "ActiveEnterTimestampMonotonic=120371688\n"
)
_SYSTEM_ARGV = ("grep", "-s", "-H", "", _INIT, _UPTIME)

SAMPLES = (
    Sample(
        (
            Output(_SYSTEM_ARGV, b"/proc/1/comm:systemd\n/proc/uptime:127.48 31.20\n"),
            Output(("systemctl", "show", "--", "batch.service"), _SHOWN.encode()),
            Output(_MESSAGES, (3 * (_FAILED_LINE + _RESTART_LINE)).encode(), started=_AT),
        ),
        (
            "subject='unit batch.service', value=3",
            "verdict='critical', detail='active (running) for 7 s; 9 restarts by systemd",
            "the last one 6 s ago; it ended by oom-kill (3 times)', of='target'",
        ),
    ),
    Sample((Output(_SYSTEM_ARGV, b"/proc/1/comm:bash\n"),), ("()",)),
)  # fmt: skip
