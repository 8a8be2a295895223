"""What the bad requests of a log say: messages that name a mechanism in the words of a library."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Support
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge as stands
from locard.model.wording import is_reference, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case

_LONGEST = 240  # characters of an example
_MANY = 20  # errors of a log that has nothing else
_LEAST = 3  # such messages since the onset
_LEAST_SHARE = 0.1  # of the bad requests since the onset


@dataclass(frozen=True, slots=True)
class Saying:
    """Messages of one log that fit a pattern and became more at its onset."""

    evidence: str
    log: LogSummary
    template: str  # what they have in common
    example: str  # one of them
    before: int
    after: int
    match: re.Match[str]

    @property
    def share(self) -> float:
        """Of the bad requests since the onset, at most 1."""
        return min(1.0, self.after / self.log.after_bad) if self.log.after_bad else 0.0

    @property
    def explains(self) -> float | None:
        """That share where the log holds every request, else None."""
        return round(self.share, 4) if self.log.claims_rates else None

    @property
    def support(self) -> Support:
        """The sentence that a finding cites."""
        of = f" of {self.log.after_bad:,} bad requests" if self.log.after_bad >= self.after else ""
        example = shorten(self.template, _LONGEST)
        when = f"since the onset, {self.before:,} before" if self.log.changed else "in this log"
        says = f"{self.after:,}{of} {when}: “{example}”"
        return Support(self.evidence, Layer.LOGS, says)

    @property
    def commands(self) -> tuple[str, ...]:
        """The lines themselves."""
        if self.log.source == "-":
            return ()
        if is_reference(self.log.source):
            plain = re.sub(r"[^\w ]+", ".", self.match[0])  # an expression of its own
            where = shlex.quote(f'message ~ "{plain}"')
            return (f"locard logs {shlex.quote(self.log.source)} --where {where}",)
        words = shlex.quote(self.match[0])
        return (f"grep -F {words} {shlex.quote(self.log.source)} | tail -n 20",)


def growing(case: Case, pattern: re.Pattern[str]) -> Iterator[Saying]:
    """For each log, the messages that fit and are far more frequent since the onset."""
    logs = [log for _, log in case.facts(LogSummary)]
    for evidence, log in case.facts(LogSummary):
        if not log.changed and not _stands_badly(log, logs):
            continue
        found = _messages(evidence, log, pattern) or _exceptions(evidence, log, pattern)
        if found is None or found.after < _LEAST:
            continue
        # As rare since the onset as before: it is not what changed.
        grown = found.after * max(1, log.before_total) > 2 * found.before * max(1, log.after_total)
        if grown and found.after >= _LEAST_SHARE * log.after_bad:
            yield found


def _stands_badly(log: LogSummary, logs: list[LogSummary]) -> bool:
    """A log without an onset counts where another one shows harm, or where all of it is errors.

    Most error logs hold a few lines of a healthy service.
    """
    if not stands(log).incident:
        return False
    others = any(other is not log and other.changed for other in logs)
    return others or (len(logs) == 1 and log.after_bad >= _MANY)


def _messages(evidence: Evidence, log: LogSummary, pattern: re.Pattern[str]) -> Saying | None:
    texts = [(m.template, m.example, m.before, m.after) for m in log.messages if m.after]
    texts += [
        (t.template, t.example, t.before, t.after) for t in log.templates if t.after > t.before
    ]
    fits = [
        (m, before, after, template)
        for template, text, before, after in texts
        if (m := pattern.search(text))
    ]
    if not fits:
        return None
    best = max(fits, key=lambda item: item[2])
    # A message can stand among the bad ones' and among those that changed: take one list.
    among = [m for m in log.messages if m.after and pattern.search(m.example)]
    before = sum(m.before for m in among) if among else best[1]
    after = sum(m.after for m in among) if among else best[2]
    return Saying(evidence.id, log, best[3], best[0].string, before, after, best[0])


def _exceptions(evidence: Evidence, log: LogSummary, pattern: re.Pattern[str]) -> Saying | None:
    for item in log.exceptions:
        match = pattern.search(item.type)
        if match and item.after:
            return Saying(evidence.id, log, item.type, item.type, item.before, item.after, match)
    return None


def address_in(text: str) -> str:
    """host:port of the far end that a message names; empty where it names none."""
    named = _UPSTREAM.search(text) or _URL.search(text) or _PEER.search(text)
    return named[1] if named else ""


_UPSTREAM = re.compile(r'upstream: "[a-z]+://([A-Za-z0-9_.-]+(?::\d{2,5})?)')
_URL = re.compile(r"[a-z]{2,8}://(?:[^\s/@]+@)?([A-Za-z0-9_.-]+:\d{2,5})")
_PEER = re.compile(r"(?<![\w.-])([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?:\d{2,5})(?!\d|:)")
