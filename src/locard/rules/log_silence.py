"""The whole log fell silent, or nearly; or one instance or service in it while the others went on.

Pattern: lines stop for good or for a while, or become a quarter or less; what happens meanwhile is not in
  this log, so whatever the log says of it is too good.
Evidence: the pace before, and that no pause was nearly as long; of one instance, that the others did not
  take over its requests, so that it is sent them still.
Against: the times name no zone; the counts are too small to say that; where requests became few, nobody may ask. (Where the others did take them over it is gone or
  gets none, and no line is missing: then nothing is said.)
Next: see whether it still serves; its disk, its quota, its log level, the agent that ships its log.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import shlex
from typing import TYPE_CHECKING

from locard.model import log_holes, log_sentences
from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge as stands
from locard.model.moments import moment
from locard.model.wording import count, last_lines, verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case
    from locard.model.log_facts import Silence
    from locard.model.log_state import LogState

_WHOLE = {"silent", "requests-stopped", "volume-fell"}
_SURE = 3.0  # standard deviations
# It said that it ends: nothing is missing.
_FAREWELL = re.compile(
    r"shut(ting)?[ -]?down|terminat|exit(ing|ed)?\b|stopp(ing|ed)|\bSIGTERM\b|drain(ing|ed)|bye",
    re.IGNORECASE,
)


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each source that fell silent, unless its requests went elsewhere."""
    for evidence, log in case.facts(LogSummary):
        state = stands(log)
        for one in [s for s in (state, *state.further) if s.kind in _WHOLE][:1]:
            yield _of_all(evidence, log, one)
        for silence in log.silences:
            told = not silence.field or _FAREWELL.search(silence.last_words)
            moved = _taken_over(silence)
            if log_holes.covers(log.holes, silence.since.earliest):
                continue  # its lines were thrown away, or may have been
            if not told and moved is not True:
                yield _finding(evidence, log, silence, sure=moved is False)


def _of_all(evidence: Evidence, log: LogSummary, state: LogState) -> Finding:
    """All of the log. That nothing is written is an answer; fewer requests may mean that nobody asks."""
    says = log_sentences.sentence(log, state, moment)
    were = verb(log.records, "was", "were")
    rest = f"{count(log.records, 'record')} {were} read, from {moment(log.first or 0.0)} on"
    unsure = tuple(Support(evidence.id, Layer.LOGS, why) for why in state.why)
    commands = last_lines(log.source, log.last) if log.source.startswith("/") else ()
    return Finding(
        rule="log-silence",
        layer=Layer.LOGS,
        role=Role.MECHANISM if state.kind == "silent" else Role.CONTEXT,
        severity=Severity.WARNING if state.kind == "silent" else Severity.INFO,
        title=says.rstrip("."),
        detail=f"{says} {rest}.",
        supports=tuple(Support(evidence.id, Layer.LOGS, s) for s in (says, rest)),
        against=unsure,
        next_commands=commands,
    )


def _finding(evidence: Evidence, log: LogSummary, silence: Silence, *, sure: bool) -> Finding:
    who = f"{silence.field}={silence.value}"
    until = f"until {moment(silence.until)}" if silence.until else "to the end of the log"
    wrote = f"it wrote {silence.per_s:.3g} lines/s before"
    says = [f"no line of {who} from {moment(silence.since.latest)} {until}; {wrote}"]
    against = []
    counts = (
        f"it wrote {silence.own_before} and the others {silence.others_before} in as much time "
        f"before, the others {silence.others_during} then"
    )
    if sure:
        says.append(
            f"the others did not take over its requests, so it is sent them still: {counts}"
        )
    else:
        against.append(f"whether the others took over its requests cannot be told: {counts}")
    return Finding(
        rule="log-silence",
        layer=Layer.LOGS,
        role=Role.SCOPE if sure else Role.CONTEXT,
        severity=Severity.WARNING if sure else Severity.INFO,
        title=f"{who} stopped writing to the log at {moment(silence.since.earliest)}",
        detail="; ".join(says),
        supports=tuple(Support(evidence.id, Layer.LOGS, s) for s in says),
        against=tuple(Support(evidence.id, Layer.LOGS, s) for s in against),
        values=((silence.field, silence.value),),
        next_commands=(
            f"locard logs {shlex.quote(log.source)} --around {_iso(silence.since.earliest)} --window 5s",
        )
        if log.source != "-"
        else (),
    )


def _taken_over(silence: Silence) -> bool | None:
    """Whether the others took over its requests; None where the counts do not say."""
    before, both = silence.others_before, silence.others_before + silence.own_before

    # Two Poisson counts: their difference has their sum as its variance.
    def apart(expected: int) -> float:
        return (silence.others_during - expected) / math.sqrt(
            max(1, silence.others_during + expected)
        )

    if apart(both) < -_SURE and abs(apart(before)) < _SURE:
        return False
    if apart(before) > _SURE and abs(apart(both)) < _SURE:
        return True
    return None


def _iso(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
