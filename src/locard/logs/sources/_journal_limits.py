"""How many lines of a unit journald lets through, and what it said of those that it did not."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from locard.model.log_holes import Drop, RateLimit
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEEPER = "journald"
_DEFAULT_S, _DEFAULT_BURST = 30.0, 10_000  # systemd 249 and later
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-zµ]*)")
_UNITS_S = {
    "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0,
    "h": 3600.0, "hr": 3600.0, "d": 86400.0, "day": 86400.0, "w": 604800.0,
}  # fmt: skip
_SETTING = re.compile(r"^(#?)RateLimit(IntervalSec|Burst)=(.*)$", re.MULTILINE)
_MOST_DROPS = 1000


def unit_name(name: str) -> str:
    """As systemd calls it: `payment` is `payment.service`."""
    return name if "." in name else f"{name}.service"


def of_unit(unit: str, shown: str, config: str, said: str) -> RateLimit:
    """The limit of one unit: its own, else journald's; `said` are journald's messages as JSON."""
    known = dict(line.partition("=")[::2] for line in shown.split("\n") if "=" in line)
    interval, burst = (
        seconds(known.get("LogRateLimitIntervalUSec", "")),
        _whole(known.get("LogRateLimitBurst")),
    )
    general_s, general = _general(config)
    own = bool(interval and burst)
    interval, burst = interval or general_s, burst or general
    state = known.get("ActiveState", "")
    told = (
        "RateLimit of journald.conf" if _SETTING.search(config) else "what journald does by default"
    )
    whose = "LogRateLimit of the unit" if own else told
    evidence = [f"{whose}: {burst:,} lines in {interval:g} s"]
    drops = tuple(dict.fromkeys(d for d in _drops(said) if d.unit == unit))
    if drops:
        evidence.append(f"journald: {count(len(drops), 'message')} of suppressed lines of {unit}")
    if state:
        evidence.append(f"systemctl show {unit}: ActiveState={state}")
    if not interval or not burst:  # it is switched off
        return RateLimit(_KEEPER, unit, drops=drops)
    return RateLimit(
        _KEEPER,
        unit,
        burst,
        interval,
        grows=True,
        running=state == "active" if state else None,
        drops=drops,
        evidence=tuple(evidence),
    )


def of_all(said: str) -> tuple[RateLimit, ...]:
    """Of a journal of many units, what was said of each."""
    drops: dict[str, list[Drop]] = {}
    for drop in _drops(said):
        drops.setdefault(drop.unit, []).append(drop)
    return tuple(RateLimit(_KEEPER, unit, drops=tuple(d)) for unit, d in drops.items())


def seconds(text: str) -> float:
    """A time span as systemd writes it: `1min 30s`, `500ms`; 0 where it is none, or has no end."""
    parts = _SPAN.findall(text)
    if not parts or _SPAN.sub("", text).strip() or any(u not in _UNITS_S for _, u in parts):
        return 0.0
    return sum(float(n) * _UNITS_S[u] for n, u in parts)


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _general(config: str) -> tuple[float, int]:
    """What journald itself was told; what stands behind # is the default that it was built with."""
    found: dict[str, str] = {}
    for comment, name, value in (m.groups() for m in _SETTING.finditer(config)):
        if not comment or name not in found:
            found[name] = value.strip()
    interval, burst = found.get("IntervalSec"), found.get("Burst")
    return (
        _DEFAULT_S if interval is None else seconds(interval),
        _DEFAULT_BURST if burst is None else _whole(burst),
    )


def _drops(said: str) -> Iterator[Drop]:
    """What journald said of lines that it suppressed; older ones name a control group."""
    for line in said.splitlines()[:_MOST_DROPS]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(found, dict):
            continue
        words = [found.get(k) for k in ("N_DROPPED", "__REALTIME_TIMESTAMP")]
        unit = (
            found.get("OBJECT_SYSTEMD_UNIT")
            or str(found.get("MESSAGE", "")).rpartition(" from ")[2]
        )
        lines, at = (_whole(w) if isinstance(w, str) else 0 for w in words)
        if lines and at and isinstance(unit, str):
            yield Drop(unit.strip().rpartition("/")[2], at / 1e6, lines)
