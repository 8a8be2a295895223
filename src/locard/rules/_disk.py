"""What the rules about full disks share: messages that say so, and how a finding weighs them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Support
from locard.model.log_facts import LogSummary
from locard.model.wording import count, verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import Reading
    from locard.model.finding import Case

NO_SPACE = re.compile(
    r"no space left|ENOSPC|disk (is )?full|errno 28|quota exceeded", re.IGNORECASE
)


def messages(case: Case) -> Iterator[Support]:
    """How many lines of each log tell of a write that did not fit, with one of them."""
    for evidence, summary in case.facts(LogSummary):
        told = [m for m in summary.messages if m.after > 0 and NO_SPACE.search(m.example)]
        if told:
            lines = sum(m.after for m in told)
            tell = verb(lines, "tells", "tell")
            text = told[0].template
            says = f"{count(lines, 'line')} of the log {tell} of a write that failed: “{text}”"
            yield Support(evidence.id, Layer.LOGS, says)


def mount(reading: Reading) -> str:
    """The mount point of a reading's file system: `/data` of `/data (tmpfs)`."""
    return reading.subject.rpartition(" (")[0] or reading.subject
