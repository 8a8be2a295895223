"""The verdict in words, once for every report: what changed, when, who, doing what, why, next."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.investigate.factors import by_weight
from locard.model.evidence import Layer
from locard.model.finding import Role, Severity
from locard.model.headline import milliseconds, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locard.model.facts import (
        AffectedValue,
        BlastRadius,
        Correlate,
        LogSummary,
        Onset,
        RatePoint,
    )
    from locard.model.finding import Finding, Support
    from locard.model.investigation import Activity, Investigation
    from locard.model.target import Process

_SHOWN_VALUES = 4
_SHOWN_ACTIVITIES = 3
_TITLE = 48  # characters of a command line
_MARKS = "▁▂▃▄▅▆▇█"


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
        onset=Said(_onset(log, found, tz), cites),
        affected=_radius(log, "affected", cites),
        unaffected=_radius(log, "unaffected", cites),
        unknown=_radius(log, "unknown", cites),
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


def clock(at: float, tz: dt.tzinfo | None, *, zone: bool = False) -> str:
    """`15:42:10`, with the zone's name where asked."""
    moment = dt.datetime.fromtimestamp(at, tz).astimezone(tz)
    return moment.strftime("%H:%M:%S" + (" %Z" if zone else ""))


def day(at: float, tz: dt.tzinfo | None) -> str:
    """`2026-11-23 15:42:10 UTC`."""
    moment = dt.datetime.fromtimestamp(at, tz).astimezone(tz)
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z")


def span(first: float, last: float, tz: dt.tzinfo | None) -> str:
    """`2026-11-23 15:42:10 UTC to 16:02:00 UTC`, with the second date where it is another one."""
    begin, end = day(first, tz), day(last, tz)
    return f"{begin} to {clock(last, tz, zone=True) if begin[:10] == end[:10] else end}"


def interval(onset: Onset, tz: dt.tzinfo | None, *, dated: bool = False) -> str:
    """The onset as an interval: `15:42:10 to 15:42:14 UTC`, with its day if that is asked for."""
    late = day(onset.latest, tz) if dated else clock(onset.latest, tz, zone=True)
    if not onset.baseline_seen:
        return f"before {late} (no baseline was seen)"
    if int(onset.earliest) == int(onset.latest):
        return late
    if dated:
        return span(onset.earliest, onset.latest, tz)
    return f"{clock(onset.earliest, tz)} to {late}"


def days_long(log: LogSummary, tz: dt.tzinfo | None) -> bool:
    """Whether a log goes on over midnight, so that the time of day tells no moment in it."""
    return (
        None not in {log.first, log.last}
        and day(log.first or 0, tz)[:10] != day(log.last or 0, tz)[:10]
    )


def sparkline(points: Iterable[RatePoint], width: int, onset: Onset | None) -> str:
    """Errors over time (p99 where there are hardly any), `|` at the onset."""
    series = list(points)
    use_errors = errors_tell(series)
    values = [
        (p.errors / p.total if p.total else 0.0) if use_errors else (p.p99_ms or 0.0)
        for p in series
    ]
    if not values:
        return ""
    per = max(1, -(-len(values) // width))
    groups = [values[i : i + per] for i in range(0, len(values), per)]
    top = max(values) or 1.0
    marks = [_MARKS[min(7, int(8 * max(g) / top))] for g in groups]
    if onset is not None and onset.baseline_seen:
        begun = sum(p.start + p.width_s <= onset.earliest for p in series)
        marks.insert(min(len(marks), -(-begun // per)), "|")
    return "".join(marks)


def errors_tell(series: Iterable[RatePoint]) -> bool:
    """Whether errors are frequent enough to be drawn; else latency tells more."""
    points = list(series)
    return sum(p.errors for p in points) > 0.02 * sum(p.total for p in points)


def _changed(log: LogSummary | None, *, looked: bool) -> str:
    if log is None:
        return "The logs could not be read." if looked else "No logs were looked at."
    if not log.records:
        return f"The log has no record that can be read ({log.lines} lines)."
    if not log.changed:
        return "Nothing changed in the logs: no onset of errors or latency was found."
    parts = []
    if "errors" in log.changed:
        before, after = error_rates(log)
        parts.append(f"errors rose from {before} to {after}")
    if "latency" in log.changed:
        early, late = milliseconds(log.before_p99_ms), milliseconds(log.after_p99_ms)
        parts.append(f"p99 latency rose from {early} to {late}")
    text = " and ".join(parts)
    kind = f" ({log.shape})" if log.shape != "unknown" else ""
    return text[:1].upper() + text[1:] + kind + "."


def error_rates(log: LogSummary) -> tuple[str, str]:
    """The share of errors before and after the onset, in words."""
    if log.onset is None:
        return "unknown", "unknown"
    before = [p for p in log.series if p.start + p.width_s <= log.onset.earliest]
    after = [p for p in log.series if p.start >= log.onset.latest]
    return (
        share(sum(p.errors for p in before), sum(p.total for p in before)),
        share(sum(p.errors for p in after), sum(p.total for p in after)),
    )


def _onset(log: LogSummary | None, found: Investigation, tz: dt.tzinfo | None) -> str:
    if log is None or log.onset is None:
        return "No onset is known."
    ago = max(0.0, found.started - log.onset.latest)
    when = f"{ago:.0f} s" if ago < 120 else f"{ago / 60:.0f} min"  # noqa: PLR2004
    sure = f"{100 * log.onset.confidence:.0f} % interval"
    return f"{interval(log.onset, tz)} ({sure}), {when} before the investigation began."


def _radius(log: LogSummary | None, side: str, cites: tuple[str, ...]) -> tuple[Said, ...]:
    if log is None or not log.changed:
        return ()
    ordered = sorted(log.blast_radius, key=lambda r: _telling(r, log))
    out = [Said(_set(c), cites) for c in log.correlates[:1]] if side == "affected" else []
    seen: set[frozenset[tuple[str, int]]] = set()
    everywhere: list[BlastRadius] = []
    for radius in ordered:
        values: tuple[AffectedValue, ...] = getattr(radius, side)
        same = frozenset((v.value, v.requests) for v in values)
        if not values or same in seen:  # two fields that say the same are one line
            continue
        seen.add(same)
        others = sum(len(getattr(radius, s)) for s in ("affected", "unaffected", "unknown"))
        if side == "affected" and len(values) == others and others > 1:
            everywhere.append(radius)
        else:
            shown = ", ".join(_value(v, side) for v in values[:_SHOWN_VALUES])
            more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
            out.append(Said(f"{radius.field}: {shown}{more}", cites))
    if everywhere:
        fields = ", ".join(r.field for r in everywhere)
        rates = _rates(tuple(v for r in everywhere for v in r.affected))
        out.append(Said(f"every value of {fields}: {rates}", cites))
    return tuple(out)


def _set(correlate: Correlate) -> str:
    values = ", ".join(f"{field}={value}" for field, value in correlate.values)
    much = share(correlate.share_of_excess, 1)
    lift = f", {correlate.lift:.0f} times the usual rate" if correlate.lift >= 2 else ""  # noqa: PLR2004 - less says little
    return f"{values}: {much} of the excess{lift}"


def _telling(radius: BlastRadius, log: LogSummary) -> tuple[bool, bool, str]:
    """Fields of the correlates first, then those that separate, then by name."""
    correlated = {field for c in log.correlates for field, _ in c.values}
    separates = bool(radius.affected) and bool(radius.unaffected)
    return radius.field not in correlated, not separates, radius.field


def _value(value: AffectedValue, side: str) -> str:
    if side == "affected":
        return f"{value.value} {share(value.after_rate, 1)}"
    if side == "unknown":
        return f"{value.value} ({value.requests} requests)"
    return value.value


def _rates(values: tuple[AffectedValue, ...]) -> str:
    low, high = min(v.after_rate for v in values), max(v.after_rate for v in values)
    return f"{share(low, 1)} to {share(high, 1)} bad"


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
        return Said(
            f"{found.findings[0].title} ({found.findings[0].rule})", found.findings[0].evidence
        )
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
