"""How a log stands, in words: one sentence for each state, with its numbers; times as the reader wants them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from locard.model import log_holes, log_pace, log_spikes
from locard.model.headline import bad_counts, milliseconds, part_words, share
from locard.model.log_latency import risen
from locard.model.log_state import counted_as
from locard.model.wording import count, moved, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locard.model.log_facts import Alarm, LogSummary, MeasureShape, Onset
    from locard.model.log_spread import Spread
    from locard.model.log_state import LogState

    Clock = Callable[[float], str]
    Words = Callable[[LogSummary, LogState, Clock], str]

_SHOWN = 3
_LONGEST = 100  # characters of what a log says
_MINUTES, _HOURS, _DAYS = 120.0, 2 * 3600.0, 2 * 86400.0


def sentence(log: LogSummary, state: LogState, clock: Clock) -> str:
    """The state as a sentence; `clock` writes a Unix time with its zone."""
    return _WORDS[state.kind](log, state, clock)


def everyone(log: LogSummary, spread: Spread, *, over: bool = False) -> str:
    """Whom it hits, where no set of values says so; in the past tense where it is `over`."""
    what = " and ".join(log.changed).capitalize()
    if spread.kind == "untested":
        return f"{what} changed; {spread.why}."
    if spread.kind == "unknown":
        return (
            "Errors became more. Whom they hit more than others cannot be told from errors alone."
        )
    fields = ", ".join(spread.fields[:_SHOWN]) + (", …" if len(spread.fields) > _SHOWN else "")
    if spread.kind == "some":
        return f"{what} changed for some values of {fields} (see affected); no set of them explains it."
    return f"{what} changed for every value of {fields} with enough requests: it {'was' if over else 'is'} everyone."


def duration(seconds: float) -> str:
    """`20 s`, `35 min`, `4 h`, `12 days`; short ones as `0.2 s`, `40 ms`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else f"{seconds:.1g} s"  # noqa: PLR2004
    if seconds < _MINUTES:
        return f"{seconds:.0f} s"
    if seconds < _HOURS:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < _DAYS else f"{seconds / 86400:.0f} days"


def error_rates(log: LogSummary) -> tuple[float | None, float | None]:
    """The share of errors before the onset and while it lasted; None where that is not known."""
    if log.judged == ("errors",) and not log.of_part and log.before_total and log.after_total:
        return log.before_bad / log.before_total, log.after_bad / log.after_total
    known = _shape(log, "errors")
    if known is not None and known.before is not None and known.after is not None:
        return known.before, known.after
    if log.onset is None:
        return None, None
    stop = log.end if log.end is not None else float("inf")
    early = [p for p in log.series if p.start + p.width_s <= log.onset.earliest]
    late = [p for p in log.series if p.start >= log.onset.latest and p.start < stop]
    if log.end is not None and not log.onset.baseline_seen:
        early = [p for p in log.series if p.start >= log.end]
    sides = [(sum(p.errors for p in side), sum(p.total for p in side)) for side in (early, late)]
    before, after = (bad / total if total else None for bad, total in sides)
    return before, after


def _shape(log: LogSummary, measure: str) -> MeasureShape | None:
    return next((s for s in log.shapes if s.measure == measure and s.shape != "flat"), None)


def _what(log: LogSummary) -> str:
    """What changed, from what to what: the verbs follow from the numbers."""
    parts = []
    if log.of_part:
        before, after = error_rates(log)
        rates = f", from {_share(before)} to {_share(after)}" if log.claims_rates else ""
        if before is None:
            rates = ""
        parts.append(f"errors rose for {part_words(log)} only{rates}: too few to show among all")
    elif "errors" in log.changed and log.coverage.kind == "joined" and not log.before_total:
        whose = next((b.part for b in log.beginnings if b.steps), "")
        parts.append(f"errors since the log of {whose} begins, or longer: {bad_counts(log)}")
    elif "errors" in log.changed and not log.claims_rates:
        parts.append(f"errors became more: {bad_counts(log)}")
    elif "errors" in log.changed:
        parts.append(_moved("errors", *error_rates(log), _share))
    if "latency" in log.changed:
        parts.append(_latency(log))
    return " and ".join(p for p in parts if p)


def _latency(log: LogSummary) -> str:
    rose = risen(log)
    if rose is None:
        return "latency changed"
    name, before, after = rose
    if name == "slow":
        limit = (
            log.bad_means.rpartition("slower than ")[2] if "slower than" in log.bad_means else ""
        )
        who = f"requests slower than {limit}" if limit else "slow requests"
        return f"{who} rose from {_share(before)} to {_share(after)} of all"
    return f"{name} latency rose from {milliseconds(before)} to {milliseconds(after)}"


def _moved(
    what: str, before: float | None, after: float | None, write: Callable[[float | None], str]
) -> str:
    if before is None or after is None:
        return f"{what} changed, to {write(after)}" if after is not None else f"{what} changed"
    verb = moved(before, after)
    if verb == "stayed":
        return f"{what} stayed at {write(after)}"
    return f"{what} {verb} from {write(before)} to {write(after)}"


def _share(value: float | None) -> str:
    return "unknown" if value is None else share(value, 1)


def _capital(text: str) -> str:
    # p99 is a name.
    return text if text[1:2].isdigit() else text[:1].upper() + text[1:]


def _empty(log: LogSummary, _: LogState, __: Clock) -> str:
    if not log.lines and log.partial:
        return "No line of the log was given: nothing is known of it."
    if not log.lines:
        return "There is no log: no line could be read."
    return f"The log has no record that can be read ({count(log.lines, 'line')})."


def _fell(log: LogSummary, clock: Clock) -> str:
    """A log that begins in the middle of what is wrong, and in which it became less and is not over."""
    if log.onset is None or log.onset.baseline_seen or log.end is None or not log.claims_rates:
        return ""
    since, until = error_rates(log)
    if "errors" not in log.changed or since is None or until is None or since >= until:
        return ""
    return (
        f"Bad from its first line on: {share(until, 1)} of {counted_as(log)} {_failing(log).split(' ', 1)[1]} "
        f"until {clock(log.end)}, and {share(since, 1)} since then. It began before this log does, or is always so."
    )


def _going_on(log: LogSummary, state: LogState, clock: Clock) -> str:
    if fell := _fell(log, clock):
        return fell
    kind = f" ({log.shape})" if log.shape != "unknown" else ""
    rest = f" {_capital('; '.join(state.why))}." if state.why else ""
    if state.before_window and log.extent.asked_from is not None:
        rest += f" It began before the window that was asked for, which starts at {clock(log.extent.asked_from)}."
    return f"{_capital(_what(log))}{kind}.{rest}"


def _bursts(log: LogSummary, _: LogState, __: Clock) -> str:
    many = f"{1 + len(log.further_onsets)} bursts"
    how = "bursts at regular distances (periodic)" if log.shape == "periodic" else many
    one = _shape(log, log.judged[0]) if len(log.judged) == 1 and log.claims_rates else None
    # What is counted is the time since the first of them, calm parts and all.
    first = (
        "" if one is None or one.after is None else f", {_share(one.after)} bad in the first one"
    )
    return f"{_capital(_what(log))}, in {how}{first}."


def _recovered(log: LogSummary, state: LogState, clock: Clock) -> str:
    until = state.until or 0.0
    ago = f", {duration(state.ago_s)} before the log was read" if state.ago_s is not None else ""
    if state.since is None:
        begun = f"it was bad from the first line on, until {clock(until)}{ago}"
        rates = _levels_past(log)
        return f"It is over: {begun}{rates}."
    return f"It is over: {_what(log)}, from {clock(state.since)} until {clock(until)}{ago}."


def _levels_past(log: LogSummary) -> str:
    """The levels while it lasted and since then, where the log begins in the middle of it."""
    if not log.claims_rates:
        return ""
    return f" ({bad_counts(log)})"


def _silent(log: LogSummary, state: LogState, clock: Clock) -> str:
    seen = log.extent
    ago = duration(state.ago_s or 0.0)
    per_s = log.records / max((seen.last_line or 0.0) - (log.first or 0.0), 1e-3)
    pace = f"{per_s:.3g} lines a second" if per_s >= 1 else f"a line every {duration(1 / per_s)}"
    longest = (
        f", its longest pause was {duration(seen.longest_gap_s)}" if seen.longest_gap_s else ""
    )
    last = clock(seen.last_line or 0.0)
    only = ", if its times are of this machine's zone" if state.why else ""
    return f"The log is silent{only}: its last line came at {last}, {ago} before it was read; it wrote {pace} before{longest}."


def _incomplete(log: LogSummary, _: LogState, clock: Clock) -> str:
    hole = log_holes.last(log.holes)
    return "" if hole is None else log_holes.sentence(hole, clock)


def _requests_stopped(_: LogSummary, state: LogState, clock: Clock) -> str:
    since = clock(state.since or 0.0)
    return f"No request is logged since {since}, while the log goes on: {state.before or 0.0:.3g} a second before."


def _volume_fell(log: LogSummary, state: LogState, clock: Clock) -> str:
    before, after = state.before or 0.0, state.after or 0.0
    lasted = max(0.0, (log.last or 0.0) - (state.since or 0.0))
    over = max(0.0, (state.since or 0.0) - (log.first or 0.0))
    part = f"to {share(after, before)}" if before else "to nothing"
    fell = log_pace.collapsed(log)
    word = counted_as(log)
    return (
        f"Traffic fell {part} of what it was {_between(fell.onset if fell else None, clock)}: from "
        f"{before:.3g} {word}/s over {duration(over)} to {after:.3g} over {duration(lasted)}. "
        "Whom it no longer serves, or who no longer asks, the log cannot tell."
    )


def _between(onset: Onset | None, clock: Clock) -> str:
    """`between 12:03:10 UTC and 12:03:40 UTC`: an onset is an interval, never its end."""
    if onset is None:
        return "at an unknown time"
    early, late = clock(onset.earliest), clock(onset.latest)
    return f"at {late}" if early == late else f"between {early} and {late}"


def _errors_from_start(log: LogSummary, state: LogState, clock: Clock) -> str:
    since = f" at {clock(state.since)}" if state.since is not None else ""
    many = log.extent.errors or log.records
    kind = "errors only" if log.extent.errors == log.extent.requests else "errors and warnings only"
    return (
        f"The log holds {kind}, {many:,} since its first line{since}: they began then or before. "
        "What share of the requests fails is not in it."
    )


def _bad_throughout(log: LogSummary, state: LogState, clock: Clock) -> str:
    seen = log.extent
    rate = share(seen.errors, seen.requests)
    since = f" at {clock(state.since)}" if state.since is not None else ""
    return (
        f"Bad from its first line{since} to its last: {seen.errors:,} of {seen.requests:,} {_failing(log)} ({rate}). "
        "It began before this log does, or is always so."
    )


def _errors_late(log: LogSummary, state: LogState, clock: Clock) -> str:
    seen = log.extent
    what = "requests failed" if counted_as(log) == "requests" else "lines are errors"
    return (
        f"{seen.errors:,} of {seen.requests:,} {what} ({share(seen.errors, seen.requests)}), most of them since "
        f"{clock(state.since or 0.0)}: too few to date an onset."
    )


def _slow_throughout(log: LogSummary, _: LogState, __: Clock) -> str:
    p50 = milliseconds(log.after_p50_ms)
    return (
        f"Slow from its first line to its last: half of the requests take {p50} or more. Whether that is "
        "usual cannot be told: no faster time is in this log."
    )


def _alarms(log: LogSummary, _: LogState, clock: Clock) -> str:
    said = "; ".join(alarms(log, clock))
    new = "these lines are new"
    if not any(_long_before(log, a) for a in log.alarms[:_SHOWN]):
        new = "these lines say that something broke"  # the log may begin in the middle of them
    if log.changed:
        return f"{_capital(new)}: {said}."
    return f"No onset of errors or latency was found, but {new}: {said}."


def more_alarms(log: LogSummary, clock: Clock) -> Iterator[str]:
    """The alarms that do not stand among what the bad requests say already."""
    said = {m.template for m in log.messages if m.after}
    rest = tuple(a for a in log.alarms if a.template not in said and _long_before(log, a))
    return alarms(replace(log, alarms=rest), clock)


def alarms(log: LogSummary, clock: Clock) -> Iterator[str]:
    """Each kind of line that is new and says that something broke."""
    for item in log.alarms[:_SHOWN]:
        level = f" of level {item.level}" if item.level else ""
        lines = f"{item.count:,} line{'s'[: item.count != 1]}{level}"
        when = f"since {clock(item.first)}" if item.count > 1 else f"at {clock(item.first)}"
        yield f"{lines} {when}, {_past(log, item)}: {shorten(item.template, _LONGEST)}"


def _past(log: LogSummary, alarm: Alarm) -> str:
    """How many came before, and over how long: that is what makes them new."""
    known = f" in the {duration(alarm.first - log.first)}" if log.first is not None else ""
    if alarm.earlier:
        return f"{count(alarm.earlier, 'error')} like it{known} before"
    if known and not _long_before(log, alarm):
        return f"the log begins {duration(alarm.first - (log.first or 0.0))} before"
    return f"no error like it{known} before"


def _long_before(log: LogSummary, alarm: Alarm) -> bool:
    """Whether the log goes back before the first of these lines for as long as they came: else they may be old."""
    return log.first is None or alarm.first - log.first >= alarm.last - alarm.first


def _slight(log: LogSummary, state: LogState, clock: Clock) -> str:
    slight = log.slight
    if slight is None:
        return ""
    early, late = milliseconds(slight.before_p99_ms), milliseconds(slight.after_p99_ms)
    p50 = f"p50 {milliseconds(slight.before_p50_ms)} before, {milliseconds(slight.after_p50_ms)} after"
    verb = moved(slight.before_p99_ms, slight.after_p99_ms)
    change = (
        f"p99 latency {verb} from {early} to {late}"
        if verb != "stayed"
        else f"p99 latency stayed at {late}"
    )
    return f"Nothing changed that matters: {change} at {clock(state.since or 0.0)} ({p50})."


def _untold(_: LogSummary, state: LogState, __: Clock) -> str:
    why = " and ".join(state.why) or "no field says what an error is, or how long a request took"
    return f"Whether anything changed cannot be told: {why}."


def _traffic(log: LogSummary, state: LogState, clock: Clock) -> str:
    before, after = state.before or 0.0, state.after or 0.0
    verb = moved(before, after)
    shape = next((s for s in log.shapes if s.measure == "volume" and s.onset is not None), None)
    word = counted_as(log)
    if state.since is not None and state.until is not None:
        rest = f"No onset of errors or latency was found. {_level(log)}"
        return f"{_gap(log, state, clock)} {rest}".rstrip()
    rates = f"{verb} from {before:.3g} to {after:.3g} {word}/s" if verb != "stayed" else "changed"
    when = f" {_between(shape.onset, clock)}" if shape else ""
    # A fall or a rise that is over is no state of things.
    over = ""
    if shape and shape.end is not None:
        over = f", until about {clock(shape.end)}; {shape.after or 0.0:.3g} {word}/s since then"
    but = f" ({'; '.join(state.why)})" if state.why else ""
    return f"Traffic {rates}{when}{over}; no onset of errors or latency was found{but}. {_level(log)}".rstrip()


def _gap(log: LogSummary, state: LogState, clock: Clock) -> str:
    """A time in which nothing came, and that it is over."""
    start, end, word = state.since or 0.0, state.until or 0.0, counted_as(log)
    shape = _shape(log, "volume")
    since = f", {shape.after or 0.0:.3g} since" if shape and shape.end is not None else ""
    return (
        f"It is over: no {word} came between {clock(start)} and {clock(end)} ({duration(end - start)}); "
        f"{state.before or 0.0:.3g} {word}/s before{since}."
    )


def _mix(log: LogSummary, _: LogState, clock: Clock) -> str:
    """Which values became frequent, with their shares; that errors did not is said beside it."""
    parts = []
    for shift in log.shifts:
        what = (
            f"requests with {shift.field}={shorten(shift.value, 40)}"
            if shift.field
            else f"requests that take {shift.value}"
        )
        parts.append(
            f"{what} rose from {share(shift.before, 1)} to {share(shift.after, 1)} of all, "
            f"{_between(shift.since, clock)}"
        )
    return f"The mix of requests changed: {'; '.join(parts)}. No onset of errors or of high latency was found. {_level(log)}".rstrip()


def _spikes(log: LogSummary, _: LogState, clock: Clock) -> str:
    found = log_spikes.found(log)
    if found is None:
        return ""
    bursts = "burst" if found.count == 1 else "bursts"
    if found.measure == "p99":
        what = f"requests are slow, p99 up to {milliseconds(found.worst)} where it is usually {milliseconds(found.usual)}"
    else:
        what = f"requests fail, up to {share(found.worst, 1)} where it is usually {share(found.usual, 1)}"
    return f"No lasting change was found, but {found.count} short {bursts} in which {what}, the last at {clock(found.last)}. {_level(log)}".rstrip()


def _unchanged(log: LogSummary, state: LogState, _: Clock) -> str:
    why = "; ".join(state.why)
    return f"No onset of errors or latency was found. That nothing changed cannot be said: {why}. {_level(log)}".rstrip()


def _steady(log: LogSummary, _: LogState, __: Clock) -> str:
    blind = log.after_p99_ms is None
    rest = (
        " How long requests take is not in it." if blind and counted_as(log) == "requests" else ""
    )
    return f"Nothing changed in this log. {_level(log)}".rstrip() + rest


def _failing(log: LogSummary) -> str:
    return "requests fail" if counted_as(log) == "requests" else "lines are errors"


def _level(log: LogSummary) -> str:
    """The level over all, so that nobody has to take it for good."""
    seen = log.extent
    parts = []
    # A unit that failed has lines of systemd's among its own, whose levels are of another kind.
    if seen.requests and seen.errors_by and log.claims_rates and not log.unit_failures:
        parts.append(f"{share(seen.errors, seen.requests)} of {seen.requests:,} {_failing(log)}")
    if log.after_p99_ms is not None and not log.before_total:
        parts.append(f"p99 {milliseconds(log.after_p99_ms)}")
    return f"{_capital(', '.join(parts))}." if parts else ""


_WORDS: dict[str, Words] = {
    "empty": _empty,
    "going-on": _going_on,
    "comes-and-goes": _bursts,
    "recovered": _recovered,
    "silent": _silent,
    "incomplete": _incomplete,
    "requests-stopped": _requests_stopped,
    "volume-fell": _volume_fell,
    "errors-from-start": _errors_from_start,
    "bad-throughout": _bad_throughout,
    "errors-late": _errors_late,
    "slow-throughout": _slow_throughout,
    "alarms": _alarms,
    "slight": _slight,
    "untold": _untold,
    "mix-changed": _mix,
    "spikes": _spikes,
    "traffic-changed": _traffic,
    "unchanged": _unchanged,
    "steady": _steady,
}
