"""Where a log begins, in words: when, why as far as that is known, and what may have the lines before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locard.model import log_state
from locard.model.log_sentences import duration
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from locard.model.log_beginning import BeginningKind, LogBeginning
    from locard.model.log_facts import LogSummary

    Clock = Callable[[float], str]

_ALWAYS_SAID = frozenset({"cut", "rotated", "may-be-rotated", "started", "kept-from"})
_STARTS_BAD = frozenset({"bad-throughout", "errors-from-start", "slow-throughout"})
_LATER_S = 10.0  # what others wrote after its writer ended
_MOST_NAMED = 2


def may_be_before(log: LogSummary) -> bool:
    """Whether what is wrong may have begun before the log does: it is so from the first line on."""
    if log.onset is not None and not log.onset.baseline_seen:
        return True
    state = log_state.judge(log)
    return any(s.kind in _STARTS_BAD for s in (state, *state.further))


def worth_saying(log: LogSummary) -> tuple[LogBeginning, ...]:
    """The beginnings that a reader has to know of: of the whole log, and of parts where something steps."""
    said = []
    for one in log.beginnings:
        if one.part:
            wanted = one.steps
        else:
            wanted = one.steps or one.kind in _ALWAYS_SAID or may_be_before(log)
            wanted = wanted or _has_ended(one, log)
        if wanted and one.at is not None:
            said.append(one)
    return tuple(said)


def _has_ended(one: LogBeginning, log: LogSummary) -> bool:
    """Whether nothing more is written because its writer ended: of a whole log, not where others go on."""
    if one.ended is None:
        return False
    return bool(one.part) or (log.last or 0.0) <= one.ended + _LATER_S


def sentence(one: LogBeginning, log: LogSummary, clock: Clock) -> str:
    """The beginning in words; `clock` writes a Unix time with its zone."""
    at = one.at if one.at is not None else 0.0
    who = f"The log of {one.part}" if one.part else "The log"
    ahead = _ahead(one, log, at)
    text = f"{who} begins at {clock(at)}{ahead}{_why(one, at, clock)}."
    if one.ended is not None and _has_ended(one, log):
        text += f" {one.writer.capitalize()} ended at {clock(one.ended)}."
    if one.steps:
        text += " What steps there says nothing of the service."
    joined = log.coverage.kind == "joined"
    if may_be_before(log) and (one.steps if joined else not one.part):
        text += " What is wrong may have begun before."
    if one.rest and not one.part and (one.kind == "rotated" or may_be_before(log)):
        text += f" Older lines, if there are any: {'; '.join(one.rest[:_MOST_NAMED])}."
    return text


def _ahead(one: LogBeginning, log: LogSummary, at: float) -> str:
    """How long before the onset, where that is known."""
    if one.part or log.onset is None or not log.onset.baseline_seen or log.onset.earliest <= at:
        return ""
    return f", {duration(log.onset.earliest - at)} before the onset"


def reads_older(log: LogSummary) -> str:
    """The command that reads the older files too, where what is wrong may have begun in them; else empty."""
    whole = next((b for b in log.beginnings if not b.part), None)
    if whole is None or whole.kind != "rotated" or not may_be_before(log):
        return ""
    return next((r for r in whole.rest if r.startswith("locard ")), "")


def _why(one: LogBeginning, at: float, clock: Clock) -> str:
    return _WHY[one.kind](one, at, clock)


def _asked(one: LogBeginning, _: float, __: Clock) -> str:
    return f": it was read from there on, as asked{_detail(one)}"


def _started(one: LogBeginning, at: float, clock: Clock) -> str:
    began = at if one.began is None else one.began
    when = f" ({clock(began)})" if abs(at - began) >= 1 else ""
    started = f", as {one.writer} started{when}"
    if one.restarts:
        return f"{started}, after {count(one.restarts, 'restart')}: what ran before is not in it"
    return f"{started}; what it may have replaced had a log of its own"


def _may_be_rotated(one: LogBeginning, at: float, _: Clock) -> str:
    older = ""
    if one.began is not None and at > one.began:
        older = f", {duration(at - one.began)} after {one.writer} started"
    # What holds of all parts stands with the whole.
    detail = "" if one.part and older else _detail(one)
    return f"{older}{detail}; lines before that may be gone from it, or there were none"


def _kept_from(one: LogBeginning, _: float, __: Clock) -> str:
    return f", where {one.detail} begins: lines before that went with its older part, or there were none"


def _first_words(one: LogBeginning, at: float, clock: Clock) -> str:
    return f"; {one.detail} goes back to {clock(one.began or at)} and holds nothing of it before"


def _seen(one: LogBeginning, _: float, __: Clock) -> str:
    return _detail(one)


def _unknown(one: LogBeginning, _: float, __: Clock) -> str:
    seen = f" ({one.detail})" if one.detail else ""
    return f"; why it begins there is not known{seen}"


def _detail(one: LogBeginning) -> str:
    return f": {one.detail}" if one.detail else ""


_WHY: dict[BeginningKind, Callable[[LogBeginning, float, Clock], str]] = {
    "asked": _asked,
    "started": _started,
    "may-be-rotated": _may_be_rotated,
    "kept-from": _kept_from,
    "first-words": _first_words,
    "rotated": _seen,
    "cut": _seen,
    "unknown": _unknown,
}
