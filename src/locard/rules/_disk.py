"""What the rules about full disks share: messages that say so, and how a finding weighs them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Support
from locard.model.log_facts import LogSummary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import Reading
    from locard.model.finding import Case

NO_SPACE = re.compile(
    r"no space left|ENOSPC|disk (is )?full|errno 28|quota exceeded", re.IGNORECASE
)


def messages(case: Case) -> Iterator[Support]:
    """Messages of the log that tell of a write that did not fit."""
    for evidence, summary in case.facts(LogSummary):
        for message in summary.messages:
            if message.after > 0 and NO_SPACE.search(message.example):
                says = f"the log says {message.after} times “{message.template}”"
                yield Support(evidence.id, Layer.LOGS, says)


def mount(reading: Reading) -> str:
    """The mount point of a reading's file system: `/data` of `/data (tmpfs)`."""
    return reading.subject.rpartition(" (")[0] or reading.subject
