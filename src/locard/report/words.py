"""The verdict in words, once for every report: what changed, when, who, doing what, why, next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.investigate.factors import by_weight
from locard.model.evidence import Layer
from locard.model.finding import Role, Severity
from locard.model.headline import share
from locard.report import log_tables, log_words

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from locard.model.finding import Finding, Support
    from locard.model.investigation import Activity, Investigation
    from locard.model.log_facts import LogSummary
    from locard.model.target import Process

_SHOWN_ACTIVITIES = 3
_TITLE = 48  # characters of a command line


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence and the evidence ids that it rests on."""

    text: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """What a person reads first. Empty tuples are said as such by the reports."""

    title: str
    changed: Said
    onset: Said
    affected: tuple[Said, ...]
    unaffected: tuple[Said, ...]
    unknown: tuple[Said, ...]
    coverage: tuple[Said, ...]  # why no rate is claimed, where none can be
    log_says: tuple[Said, ...]
    doing: tuple[Said, ...]
    verdict: Said
    agreeing: tuple[Said, ...]  # the layers that speak for the leading factor
    opposing: tuple[Said, ...]
    healthy: tuple[Said, ...]
    next_commands: tuple[str, ...]


def story(found: Investigation, tz: dt.tzinfo | None = None) -> Story:
    """The verdict of an investigation; times in `tz`, the local zone where that is None."""
    logged = chosen_log(found)
    evidence, log = logged if logged is not None else ("", None)
    cites = (evidence,) if evidence else ()
    return Story(
        title=title(found),
        changed=Said(_changed(log, looked=found.layers[0].status != "skipped"), cites),
        onset=Said(log_words.onset(log, found.started, tz) if log else "No onset is known.", cites),
        affected=_radius(log, "affected", cites),
        unaffected=_radius(log, "unaffected", cites),
        unknown=_radius(log, "unknown", cites),
        coverage=_all(log_words.coverage(log) if log else "", cites),
        log_says=tuple(Said(s, cites) for s in log_tables.telling(log, tz)) if log else (),
        doing=_doing(found),
        verdict=_verdict(found),
        agreeing=_layers_of(found, "evidence_for"),
        opposing=_layers_of(found, "evidence_against"),
        healthy=tuple(_healthy(found)),
        next_commands=next_commands(found),
    )


def chosen_log(found: Investigation) -> tuple[str, LogSummary] | None:
    """The log that shows a change (the first one where several do), with its evidence id."""
    logs = [(e.id, s) for e, s in found.logs()]
    return next((p for p in logs if p[1].changed), logs[0] if logs else None)


def title(found: Investigation) -> str:
    """`proc/gunicorn (5 processes) on vm`."""
    count = len(found.target.processes)
    many = f" ({count} process{'es' if count != 1 else ''})" if count else ""
    name = ""
    if found.target.kind == "pid" and found.target.processes:
        name = f" {_program(found.target.processes[0])}"
    return f"{found.target.ref}{name}{many} on {found.target.host}"


def _program(process: Process) -> str:
    """The command line without folders, as far as it tells programs apart."""
    words = [w.rpartition("/")[2] for w in process.cmdline[:8]] or [process.comm]
    text = " ".join(w for w in words if w)
    return text if len(text) <= _TITLE else text[: _TITLE - 1] + "…"


def _changed(log: LogSummary | None, *, looked: bool) -> str:
    if log is None:
        return "The logs could not be read." if looked else "No logs were looked at."
    return log_words.changed(log)


def _all(text: str, cites: tuple[str, ...]) -> tuple[Said, ...]:
    return (Said(text, cites),) if text else ()


def _radius(log: LogSummary | None, side: str, cites: tuple[str, ...]) -> tuple[Said, ...]:
    if log is None or not log.changed:
        return ()
    sets = log.correlates[:1] if side == "affected" else ()
    lines = (*(log_words.correlate(log, c) for c in sets), *log_words.radius(log, side))
    return tuple(Said(text, cites) for text in lines)


def _doing(found: Investigation) -> tuple[Said, ...]:
    cites = tuple(
        e.id for e in found.evidence if e.layer in {Layer.RUNTIME, Layer.KERNEL} and e.facts
    )
    busy = [a for a in found.activities if not a.idle]
    if not busy:
        idle = bool(found.activities)
        return (Said("every thread that was seen waits for work", cites),) if idle else ()
    said = [Said(_activity(a), cites) for a in busy[:_SHOWN_ACTIVITIES]]
    rest = sum(a.share for a in busy[_SHOWN_ACTIVITIES:])
    if rest > 0.05:  # noqa: PLR2004 - less is not worth a line
        said.append(Said(f"{share(rest, 1)} of the busy ones do something else", cites))
    return tuple(said)


def _activity(activity: Activity) -> str:
    return (
        f"{share(activity.share, 1)} of busy threads: {activity.what}, in {short(activity.where)}"
    )


def short(where: str) -> str:
    """`function (path/to/file.py:12)` with the last two parts of the path."""
    name, paren, rest = where.partition(" (")
    parts = rest.split("/")
    return f"{name}{paren}{'/'.join(parts[-2:])}" if paren else where


def _verdict(found: Investigation) -> Said:
    if found.contributing_factors:
        first = found.contributing_factors[0]
        cites = tuple(dict.fromkeys(s.evidence for s in first.evidence_for))
        return Said(f"{first.title} ({first.rule}, {first.confidence} evidence)", cites)
    scope = [f for f in by_weight(found.findings) if f.role is Role.SCOPE]
    if scope:
        return Said(
            f"{scope[0].title}. No mechanism was found in the layers that were read.",
            scope[0].evidence,
        )
    if found.findings:
        telling, *_ = by_weight(found.findings)
        return Said(f"{telling.title} ({telling.rule})", telling.evidence)
    read = [s.layer.value for s in found.layers if s.status in {"ran", "partial"}]
    return Said(f"Nothing was found in {', '.join(read) or 'any layer'}.")


def _layers_of(found: Investigation, side: str) -> tuple[Said, ...]:
    """Each layer once, with the evidence of it that speaks for or against the leading factor."""
    cited: dict[str, list[str]] = {}
    for factor in found.contributing_factors[:1]:
        supports: tuple[Support, ...] = getattr(factor, side)
        for support in supports:
            ids = cited.setdefault(support.layer.value, [])
            if support.evidence not in ids:
                ids.append(support.evidence)
    return tuple(Said(layer, tuple(ids)) for layer, ids in cited.items())


def _healthy(found: Investigation) -> Iterator[Said]:
    """Layers that were looked at and gave no finding: said, since it narrows the search."""
    cited = {e for f in found.findings for e in f.evidence}
    for state in found.layers:
        ids = tuple(r.evidence for r in state.probes if r.evidence and r.status == "ok")
        if state.status == "ran" and ids and not set(ids) & cited:
            yield Said(f"{state.layer}: looked at, nothing found", ids)


def next_commands(found: Investigation) -> tuple[str, ...]:
    """Complete command lines, the leading factor's first."""
    order = {f.finding: f.rank for f in found.contributing_factors}

    def rank(finding: Finding) -> tuple[int, int]:
        return order.get(finding.id, 99), list(Severity).index(finding.severity)

    commands = [c for f in sorted(found.findings, key=rank) for c in f.next_commands]
    if not commands and found.ledger is not None:
        commands = [f"locard incident show {found.incident}"]
    return tuple(dict.fromkeys(commands))
