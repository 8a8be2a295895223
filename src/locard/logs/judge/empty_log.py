"""The summary of a log that has no record, where that is an answer: its writer is known, and how it stands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from locard.model.log_facts import Extent, LogSummary

if TYPE_CHECKING:
    from locard.logs.table.table import Table


def summary(name: str, table: Table) -> LogSummary:
    """Nothing of it can be told but how many lines there were and why they are none."""
    partial = (f"read in part: {table.partial}",) if table.partial else ()
    return LogSummary(
        source=name,
        lines=table.lines,
        records=0,
        skipped=table.skipped,
        roles=(),
        first=None,
        last=None,
        error_means="",
        bad_means="",
        changed=(),
        shape="unknown",
        onset=None,
        series=(),
        before_total=0,
        before_bad=0,
        after_total=0,
        after_bad=0,
        before_p50_ms=None,
        before_p99_ms=None,
        after_p50_ms=None,
        after_p99_ms=None,
        groups=(),
        blast_radius=(),
        correlates=(),
        messages=(),
        trace_ids=(),
        gaps=partial,
        engine=table.engine,
        partial=bool(table.partial),
        extent=Extent(read_at=time.time()),
    )
