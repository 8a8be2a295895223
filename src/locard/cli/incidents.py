"""The table of past incidents: when, which target, in which state, with what verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from locard.claims.licence import UnlicensedError
from locard.model.claim import Licensed
from locard.model.codec import decode
from locard.model.errors import LocardError, TamperedError
from locard.report import times
from locard.report.plain import safe
from locard.report.sentences import say

if TYPE_CHECKING:
    import datetime as dt

    from locard.ledger.state import StateDirectory
    from locard.ledger.store import Ledger

_WIDTH = 80
_WHEN, _TARGET, _STATE = 16, 14, 9  # an id has up to 35 columns, and has to be whole to be pasted


@dataclass(frozen=True, slots=True)
class Listed:
    """One incident; `started` is Unix time in seconds, None where nothing of it can be read."""

    incident: str
    started: float | None
    target: str
    state: str  # complete, partial, running, cut short, empty, changed, unreadable
    verdict: str

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def listed(state: StateDirectory) -> tuple[Listed, ...]:
    """All of them, the newest first. One that cannot be read costs only itself."""
    return tuple(_read(state, incident) for incident in reversed(state.incidents()))


def _read(state: StateDirectory, incident: str) -> Listed:
    try:
        with state.open(incident) as ledger:
            found = _of(ledger, incident)
    except LocardError as error:
        return Listed(incident, None, "", "unreadable", error.why)
    if found.state == "cut short" and state.is_recorded_now(incident):
        return replace(found, state="running", verdict="it is being recorded")
    return found


def _of(ledger: Ledger, incident: str) -> Listed:
    try:
        every = [entry for entry in ledger.chained() if entry.kind in {"opened", "closed"}]
    except TamperedError as error:
        return Listed(incident, None, "", "changed", f"does not verify: {error.why}")
    opened = [entry for entry in every if entry.kind == "opened"]
    if not opened:
        return Listed(incident, None, "", "empty", "no investigation was begun")
    last = opened[-1]
    closed = [e for e in every if e.kind == "closed" and e.seq > last.seq]
    how, verdict = "cut short", "it was ended before it could conclude"
    if closed:
        partial = isinstance(closed[-1].body, dict) and closed[-1].body.get("partial")
        how = "partial" if partial else "complete"
        verdict = _verdict(closed[-1].body)
    target = last.body.get("target") if isinstance(last.body, dict) else None
    return Listed(incident, last.at, _text(target, "ref"), how, verdict)


def _verdict(body: Any) -> str:
    """The sentences that it was closed with; a record that was meddled with may have none."""
    said = body.get("verdict") if isinstance(body, dict) else None
    try:
        return " ".join(say(item).text for item in decode(tuple[Licensed, ...], said or []))
    except (TypeError, ValueError, KeyError, UnlicensedError):
        return "its verdict cannot be read"


def _text(body: Any, key: str) -> str:
    value = body.get(key) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""


def table(found: tuple[Listed, ...], tz: dt.tzinfo | None = None) -> list[str]:
    """Lines of at most 80 columns: two for an incident, the second one with its verdict."""
    if not found:
        return []
    newest = next((item.started for item in found if item.started is not None), 0.0)
    zone = times.clock(newest, tz, zone=True).partition(" ")[2]
    lines = [_row(f"when ({zone})"[:_WHEN], "target", "state", "incident"), "  verdict"]
    for item in found:
        when = times.day(item.started, tz)[:_WHEN] if item.started is not None else "-"
        lines.append(_row(when, item.target or "-", item.state, item.incident))
        lines.append(f"  {_cut(item.verdict, _WIDTH - 2)}".rstrip())
    rest = "show one: locard incident show ID (it verifies the stored outputs too)"
    return [*lines, "", rest]


def _row(when: str, target: str, how: str, incident: str) -> str:
    room = _WIDTH - _WHEN - _TARGET - _STATE - 6
    cells = (f"{when:<{_WHEN}}", _cut(target, _TARGET), f"{how:<{_STATE}}", _cut(incident, room))
    return "  ".join(cells).rstrip()


def _cut(text: str, width: int) -> str:
    plain = safe(" ".join(text.split()))
    return f"{plain:<{width}}" if len(plain) <= width else plain[: width - 1] + "…"
