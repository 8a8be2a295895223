"""The report as one self-contained HTML page; everything in it is escaped by the template."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from locard.model import reading_words
from locard.model.headline import headline, milliseconds, share
from locard.model.kernel_facts import Waits
from locard.report import (
    chart,
    kernel_screen,
    log_tables,
    metric_charts,
    sentences,
    times,
    told,
    wait_strip,
    words,
)
from locard.report.plain import safe

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.investigation import Investigation
    from locard.model.log_facts import GroupCount

_TEMPLATE = Path(__file__).with_name("page.html.j2")
_MOST_GROUPS = 40


def text(found: Investigation, *, tz: dt.tzinfo | None = None) -> str:
    """The page."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    # Escaping for HTML is the template engine's; invisible and reordering characters are ours.
    environment.finalize = lambda v: safe(v, lines=True) if type(v) is str else v
    environment.filters.update(
        clock=lambda at: times.clock(at, tz, zone=True),
        day=lambda at: times.day(at, tz),
        share=lambda part: share(part, 1),
        ms=milliseconds,
        command=shlex.join,
        short=sentences.short,
        measure=reading_words.measure,
    )
    chosen = words.chosen_log(found)
    log = chosen[1] if chosen else None
    return environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        found=told.investigation(found, tz),
        story=words.story(found, tz),
        log=log,
        log_evidence=chosen[0] if chosen else None,
        tables=log_tables.tables(log, tz) if log else (),
        charts=chart.charts(log) if log else (),
        groups=_groups(log.groups) if log else (),
        factor_ids={f.finding for f in found.contributing_factors},
        metrics=tuple(found.metrics()),
        histories=tuple(metric_charts.sections(found, tz)),
        readings=tuple(found.readings()),
        kernel=tuple(_kernel(found)),
        commands=sum(len(e.ran) for e in found.evidence),
    )


def _kernel(
    found: Investigation,
) -> Iterator[tuple[Evidence, str, tuple[str, ...], wait_strip.Strip | None]]:
    """What was observed in the kernel: the evidence, its headline, the lines of its tables, a time strip."""
    for evidence in found.evidence:
        for fact in evidence.facts:
            lines = kernel_screen.lines(fact)
            if lines is not None:
                strip = wait_strip.strip(fact) if isinstance(fact, Waits) else None
                yield evidence, headline(evidence), tuple(lines), strip


def _groups(groups: tuple[GroupCount, ...]) -> tuple[GroupCount, ...]:
    """The values with the most bad requests after the onset, worst first."""
    worst = sorted(groups, key=lambda g: -(g.after_bad / g.after_total if g.after_total else 0.0))
    return tuple(g for g in worst if g.after_bad)[:_MOST_GROUPS]
