"""What a window of series says, in sentences: the same on every screen, times as marks (`moments`)."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from locard.model import metric_levels
from locard.model.moments import moment
from locard.model.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.log_facts import Onset
    from locard.model.metric_facts import (
        AlertCourse,
        Course,
        MeasuredSignal,
        MetricHistory,
        Pairs,
    )

BAD_LEVEL = 0.02  # of the requests that fail: bad, though nothing changed
_ENOUGH_BAD = 20  # failures: fewer tell no level
STOPPED = 0.5  # of the traffic is gone: worth a word by itself
_APART = 0.03  # of the level: what differs less is one number
_OLD = 4  # samples: what ended so long ago is not the present
_FULLEST = 3  # that are told in a sentence
_NOISE = frozenset({"kind", "statistic"})


def headline(found: MetricHistory) -> str:
    """How much was read and how much of it changed, in one line."""
    if found.nothing:
        return _nothing(found)
    moved = [s for s in found.signals if s.onset is not None]
    first = f" ({moved[0].signal} of {moved[0].metric} first)" if moved else ""
    return (
        f"{count(found.series, 'series', 'series')}: {count(len(moved), 'signal')} changed{first}, "
        f"{count(found.changed_in_all, 'family', 'families')} in all"
    )


def verdict(found: MetricHistory) -> Iterator[str]:
    """What is to be known first, a sentence each."""
    if found.nothing:
        yield _nothing(found)
        return
    yield from _age(found)
    moved = [
        s
        for s in found.signals
        if s.onset is not None and s.direction == "up" and s.signal in {"errors", "latency"}
    ]
    for alert in found.alerts[:2] if found.around or found.alerts else ():
        yield alert_words(alert, found.onset)
    for signal in moved[:3]:
        yield f"{signal_words(signal)}."
    full = [
        s
        for s in found.signals
        if s.onset is not None and s.signal == "saturation" and s.direction == "up"
    ]
    for signal in stopped(found)[:1]:
        yield f"Traffic: {signal_words(signal)}."
    if not moved:
        yield _unmoved(found)
        for signal in full[:2]:
            yield f"{signal_words(signal)}."
    bad = [s for s in found.signals if is_bad_level(s)]
    for signal in bad[:2]:
        since = f"from the first sample at {moment(found.start_seen)} on"
        yield (
            f"The level itself is bad: {percent(signal.after or 0.0)} of {signal.metric}{of(signal.subject)} fail, {since}. "
            f"When that began cannot be seen: before {moment(found.start_seen)}."
        )
    if found.problem:
        yield f"Partial: {found.problem}."


def _age(found: MetricHistory) -> Iterator[str]:
    """That the samples end before what was asked about, and that no alert was there to go by."""
    late = found.end - found.end_seen
    if late > _OLD * found.step_s:
        yield (
            f"The newest sample is of {moment(found.end_seen)}, {_ago(late)} before the end of what was asked: "
            "all of this is about the time before it"
            + (
                "; the window of interest holds none."
                if found.end_seen < found.window_from
                else "."
            )
        )
    if found.around == "alert" and not found.alerts:
        yield "No alert was pending or firing within a day before: the window ends now."


def is_bad_level(signal: MeasuredSignal) -> bool:
    """Whether errors are many all along, told by enough of them."""
    many = signal.signal == "errors" and signal.onset is None and (signal.after or 0.0) >= BAD_LEVEL
    return many and signal.count >= _ENOUGH_BAD


def stopped(found: MetricHistory) -> list[MeasuredSignal]:
    """Traffic of which half or more is gone for good."""
    return [
        s
        for s in found.signals
        if s.signal == "traffic" and s.onset is not None and s.direction == "down" and not s.ended
        and s.before and (s.after or 0.0) <= (1 - STOPPED) * s.before
    ]  # fmt: skip


def _ago(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"  # noqa: PLR2004


def _nothing(found: MetricHistory) -> str:
    if found.jobs:
        words = f"{found.counted or 0:,} series are more than are read at once"
        by = ", ".join(f"{name or '(none)'} {n:,}" for name, n in found.jobs[:6])
        return f"{words}: name a part of them with --match ({by}), or read more with --most."
    if found.problem:
        return f"No series were read of {found.url}: {found.problem}."
    return f"No series with samples in this window at {found.url}: a longer --since, or another --match, may hold some."


def _unmoved(found: MetricHistory) -> str:
    if metric_levels.is_sampled(found):
        return _sampled(found)
    golden = [
        s for s in found.signals if s.signal in {"errors", "latency"} and s.direction != "no data"
    ]
    if not golden:
        return "No errors or latency are told by the names of these series: only what changed among all of them is."
    kinds = " and ".join(sorted({s.signal for s in golden}))
    return f"No change of {kinds} is told from what moves anyway, in what can be seen (since {moment(found.start_seen)})."


def _sampled(found: MetricHistory) -> str:
    """What is fullest, of what has no server that remembers."""
    words = f"{metric_levels.sampled_words(found).capitalize()}"
    if metric_levels.levels_only(found):
        words += ", no baseline, levels only"
    full = [
        f"{s.resource if s.limit else s.metric} {level(s)}{of(s.subject) or ' (host)'}"
        for s in metric_levels.fullest(found)[:_FULLEST]
    ]
    return f"{words}: {'; '.join(full) or 'nothing here has a limit'}."


def signal_words(signal: MeasuredSignal) -> str:
    """One signal that changed, or stayed."""
    name = f"{signal.metric}{of(signal.subject)}"
    if signal.onset is None:
        return f"{signal.signal} of {name}: {steady(signal)}"
    began = f"{interval(signal.onset)}"
    if signal.signal == "errors":
        rose = "rose" if signal.direction == "up" else "fell"
        change = f"errors of {name} {rose} from {percent(signal.before)} to {percent(signal.after)}"
        if signal.shape == "spike":
            until = f", over since {moment(signal.ended)}" if signal.ended else ""
            return (
                f"{count(signal.count, 'error')} in one burst of {name} ({began}): {percent(signal.after)} of the requests in it"
                f"{until}"
            )
        return f"{change} ({signal.shape}, {began})"
    if signal.signal == "latency":
        rose = "rose" if signal.direction == "up" else "fell"
        words = f"latency of {name} {rose}: mean {amount(signal.before, 's')} → {amount(signal.after, 's')}"
        if signal.after_words:
            late, early = _quantile(signal.after_words), _quantile(signal.before_words)
            words += (
                f", {late} before and after"
                if late == early
                else f", {late} where it was {early or 'not seen'}"
            )
        return f"{words} ({signal.shape}, {began})"
    if signal.resource in {"oom", "restarts"} and signal.count:
        noun = "kill" if signal.resource == "oom" else "restart"
        return f"{count(signal.count, noun)} by {name} ({signal.shape}, {began})"
    to = "rose" if signal.direction == "up" else "fell"
    limit = f" of {amount(signal.limit, signal.unit)}" if signal.limit else ""
    what = f"{signal.resource} " if signal.resource else ""
    return f"{what}{name} {to}: {amount(signal.before, signal.unit)} → {amount(signal.after, signal.unit)}{limit} ({signal.shape}, {began})"


def steady(signal: MeasuredSignal) -> str:
    """What did not change, with its level."""
    if signal.direction == "no data":
        return "no data"
    if signal.before is None or signal.after is None:
        return level(signal)
    before, after = signal.before, signal.after
    if signal.signal == "traffic" and signal.detail:  # which says why it differs
        return f"{amount(before, signal.unit)} before, {level(signal)} after"
    if before != after and abs(after - before) >= _APART * max(abs(before), abs(after)):
        # Not far enough to be told from what it does anyway: both levels, and no word of a change.
        unit = "1" if signal.signal == "errors" else signal.unit
        return f"{amount(before, unit)} before, {level(signal)} after: no more than it moves anyway"
    return f"{level(signal)}, before and after"


def level(signal: MeasuredSignal) -> str:
    """Where it stands, beside its limit where it has one."""
    value = signal.after if signal.after is not None else signal.now
    if signal.signal == "errors":
        return percent(value)
    if metric_levels.is_share_of_time(signal):
        return f"{percent(value)} of the time"
    if not signal.limit or value is None:
        return amount(value, signal.unit)
    used = amount(value, "" if signal.unit.startswith("{") else signal.unit)
    return f"{used} of {amount(signal.limit, signal.unit)} ({percent(value / signal.limit)})"


def _quantile(words: str) -> str:
    """p99 of the quantiles, or what stands for them."""
    return next((w for w in words.split(", ") if w.startswith("p99")), words)


def alert_words(alert: AlertCourse, onset: Onset | None) -> str:
    """When an alert was first pending, fired, and how long after the onset."""
    pending = (
        f"first pending at {moment(alert.first_pending)}"
        if alert.first_pending
        else "pending since before the window"
    )
    fired = f"fired at {moment(alert.firing)}" if alert.firing else "has not fired"
    reset = ""
    lost = [t for t in alert.pending_lost if alert.firing and t < alert.firing]
    if lost:
        reset = f", lost at {moment(lost[0])} (a gap or a dip), which began its `for` anew"
    words = f"Alert {alert.name} {fired}, {pending}{reset}"
    if onset is not None and alert.firing and onset.latest < alert.firing:
        words += f": the onset lies {(alert.firing - onset.latest) / 60:.0f} min before it fired"
    return words + "."


_AROUND_S = 600.0  # to both sides of a moment
_LEAST_KNOWN = 3  # values on either side


def at_moment(course: Course, earliest: float, latest: float) -> tuple[float, float] | None:
    """The median of a course before and after a moment; None where one side has no data."""
    early, late = [], []
    for n, value in enumerate(course.values):
        at = course.start + n * course.step_s
        if value is None:
            continue
        if earliest - _AROUND_S <= at < earliest:
            early.append(value)
        elif latest + course.step_s <= at <= latest + _AROUND_S:
            late.append(value)
    if len(early) < _LEAST_KNOWN or len(late) < _LEAST_KNOWN:
        return None
    return median(early), median(late)


def interval(onset: Onset) -> str:
    """An onset as two moments."""
    return f"between {moment(onset.earliest)} and {moment(onset.latest)}"


def of(subject: Pairs) -> str:
    """The labels behind a name."""
    shown = ", ".join(f"{k}={v}" for k, v in subject if k not in _NOISE)
    return f" ({shown})" if shown else ""


def percent(share: float | None) -> str:
    """A share as people read it."""
    if share is None:
        return "?"
    if share and share < 0.0005:  # noqa: PLR2004
        return "< 0.05 %"
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"  # noqa: PLR2004


_PARTS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))
_BYTES = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))


def amount(value: float | None, unit: str) -> str:
    """A number with its unit as people read it."""
    if value is None:
        return "?"
    if unit == "s":
        return _seconds(value)
    if unit == "1":
        return percent(value)
    if unit.startswith("By"):
        for name, size in _BYTES:
            if abs(value) >= size:
                return f"{value / size:.3g} {name}{unit[2:]}"
        return f"{value:.0f} B{unit[2:]}"
    plain = _plural(unit, value)
    shown = f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004
    return f"{shown} {plain}" if plain and not plain.startswith("/") else f"{shown}{plain}"


def _seconds(value: float) -> str:
    size, mark = next((one for one in _PARTS if abs(value) >= one[0]), _PARTS[-1])
    return f"{value / size:.3g} {mark}"


def _plural(unit: str, value: float) -> str:
    """A unit as people say it: `{thread}` of 4 are threads, `{request}/s` are requests/s."""
    if unit == "s/s":
        return "s a second"
    noun, slash, per = unit.partition("/")
    bare = noun.strip("{}")
    if bare in {noun, "cpu"}:
        return "CPUs" if bare == "cpu" else unit
    many = bare if bare.endswith("s") else f"{bare[:-1]}ies" if bare.endswith("y") else f"{bare}s"
    return (bare if value == 1 and not slash else many) + slash + per
