"""Claims in words: one sentence a kind, made from the claim's own figures and nothing else.

`say` takes only what `claims.licence.grant` returned. Who wants another sentence writes another kind,
with its licence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.claims.licence import LICENCES, UnlicensedError
from locard.claims.log_licences import log_stands
from locard.model.claim import Licensed
from locard.model.headline import share
from locard.model.log_facts import Onset
from locard.model.wording import count, shorten
from locard.report import times

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from locard.model.claim import Claim

    Words = Callable[[Claim, tzinfo | None], str]

_SOON = 12 * 3600.0  # an onset that is longer ago needs its day
_LONGEST_VALUE = 60
_LONGEST_MESSAGE = 150
_LONGEST_OTHER = 160


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence and the evidence ids that it rests on."""

    text: str
    evidence: tuple[str, ...] = ()


def say(item: Licensed, tz: tzinfo | None = None) -> Said:
    """The sentence of a licensed claim; raises UnlicensedError for anything else."""
    if not isinstance(item, Licensed) or item.licence not in _NAMES:
        raise UnlicensedError(f"{item!r} was not granted by a licence")
    claim = item.claim
    return Said(_SENTENCES[claim.kind](claim, tz), claim.evidence)


# --- the log ------------------------------------------------------------------------------------


def _log_stands(claim: Claim, tz: tzinfo | None) -> str:
    """The words that belong to the state (model/log_sentences.py), with the reader's times."""
    text = _told(claim, tz)
    if claim.slot == "other_logs":
        return f"{claim.subject.rpartition('/')[2]}: {shorten(text, _LONGEST_OTHER)}"
    return text


def _log_alarm(claim: Claim, tz: tzinfo | None) -> str:
    return f"New since then: {_told(claim, tz)}"


def _told(claim: Claim, tz: tzinfo | None) -> str:
    return times.told(claim.text("says"), tz, dated=bool(claim.maybe("dated")))


def _outcome_field(claim: Claim, _: tzinfo | None) -> str:
    bad, good = claim.number("bad"), claim.number("good")
    counts = f"{bad:,.0f} of {count(int(bad + good), 'request')} with it failed"
    others = claim.text("others")
    so = f", so {'do' if ' and ' in others else 'does'} {others}" if others else ""
    return (
        f"{shorten(claim.subject, _LONGEST_VALUE)} says in other words that it failed ({counts}){so}: "
        "left out of the search for whom it hits"
    )


def _rest_for_everyone(claim: Claim, _: tzinfo | None) -> str:
    return f"{claim.subject.capitalize()} changed for everyone."


def _bad_means(claim: Claim, _: tzinfo | None) -> str:
    bad, error = claim.text("bad"), claim.text("error")
    slower = bad.removeprefix(f"{error}, or ")
    if bad == error:
        means = f"failed: {error}"
    else:
        means = f"failed ({error}), or {slower}" if slower != bad else bad
    if bad != error and slower == bad and claim.maybe("failures"):
        means = f"{bad} (and in what bad ones say: failed, {error})"
    before, after = claim.maybe("before"), claim.maybe("after")
    if before is None or after is None:
        return means
    then = "before" if claim.maybe("baseline_seen") else "since its end"
    during = "since the first burst" if claim.maybe("bursts") else "since the onset"
    return f"{means}; {share(before, 1)} of requests {then}, {share(after, 1)} {during}"


def _log_read(claim: Claim, tz: tzinfo | None) -> str:
    records = claim.number("records")
    counted = f"{records:,.0f} record{'s'[: records != 1]}"
    first, last = claim.maybe("first"), claim.maybe("last")
    when = f", {times.span(first, last, tz)}" if first is not None and last is not None else ""
    name = claim.subject if claim.slot == "log" else claim.subject.rpartition("/")[2]
    return f"{name}: {counted}{when}"


def _log_holds_part(claim: Claim, _: tzinfo | None) -> str:
    what = {
        "errors-only": "errors only",
        "sampled": "a sample",
        "rate-limited": "what a limit let through",
        "overlaid": "two stretches of time that lie over each other",
        "joined": "logs that begin at different times",
    }
    kind = what.get(claim.text("kind"), "a part")
    return f"The log holds {kind} ({claim.text('why')}): no rate is claimed."


def _onset_known(claim: Claim, tz: tzinfo | None) -> str:
    onset = Onset(claim.number("earliest"), claim.number("latest"), claim.number("confidence"))
    ago = _ago_s(claim, onset.latest)
    when = times.interval(onset, tz, dated=ago is not None and ago > _SOON)
    sure = f"{100 * onset.confidence:.0f} % interval"
    if claim.maybe("began"):
        sure += ", by when the bad requests began"
    if ago is None:
        return f"{when} ({sure}) by the log's clock, which names no zone: read as UTC."
    return f"{when} ({sure}), {times.ago(ago)} before the investigation began."


def _onset_before(claim: Claim, tz: tzinfo | None) -> str:
    latest = claim.number("latest")
    ago = _ago_s(claim, latest)
    if ago is None:
        return (
            f"Before {times.clock(latest, tz, zone=True)} by the log's clock, which names no zone."
        )
    when = times.day(latest, tz) if ago > _SOON else times.clock(latest, tz, zone=True)
    return f"Before {when}, {times.ago(ago)} or more before the investigation began."


def _ago_s(claim: Claim, at: float) -> float | None:
    """Seconds between a moment and the beginning of the look; None where the log names no zone."""
    now = claim.maybe("now")
    return None if now is None else max(0.0, now - at)


def _set_hit(claim: Claim, _: tzinfo | None) -> str:
    explains, lift = claim.maybe("share_of_excess"), claim.maybe("lift")
    if explains is None:
        counts = f"{claim.number('support'):,.0f} of {claim.number('of'):,.0f} bad requests"
        return f"{claim.subject}: {counts}"
    times_ = f", {lift:.0f} times the rate of all" if lift is not None and lift >= 2 else ""  # noqa: PLR2004 - less says little
    return f"{claim.subject}: {share(explains, 1)} of the additional bad requests{times_}"


def _values(claim: Claim, _: tzinfo | None) -> str:
    shown = []
    for figure in claim.figures:
        if figure.name != "value":
            continue
        name = shorten(figure.text, _LONGEST_VALUE)
        if claim.slot == "affected" and figure.value is not None:
            name = f"{name} {share(figure.value, 1)}"
        elif claim.slot == "unknown" and figure.value is not None:
            name = f"{name} ({count(int(figure.value), 'request')})"
        shown.append(name)
    more = int(claim.number("values")) - len(shown)
    return f"{claim.subject}: {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")


def _every_value_hit(claim: Claim, _: tzinfo | None) -> str:
    low, high = claim.maybe("low"), claim.maybe("high")
    if low is None or high is None:
        return f"every value of {claim.subject}"
    rates = (
        share(low, 1) if share(low, 1) == share(high, 1) else f"{share(low, 1)} to {share(high, 1)}"
    )
    return f"every value of {claim.subject}: {rates} bad"


def _spread_untold(claim: Claim, _: tzinfo | None) -> str:
    return claim.text("says")


# --- the processes ------------------------------------------------------------------------------


def _threads_do(claim: Claim, _: tzinfo | None) -> str:
    of = claim.maybe("of")
    count = f" ({claim.number('observations'):.0f} of {of:.0f} looks at one)" if of else ""
    who = f"{share(claim.number('share'), 1)} of busy threads{count}"
    where = claim.text("where")
    at = f", in {short(where)}" if where else ""
    return f"{who}: {claim.subject}{at}"


def _threads_lead(claim: Claim, tz: tzinfo | None) -> str:
    return f"{_threads_do(claim, tz)}{'.' * (claim.slot == 'verdict')}"


def _threads_rest(claim: Claim, _: tzinfo | None) -> str:
    return f"{share(claim.number('share'), 1)} of the busy ones do something else"


def _every_thread_idle(_: Claim, __: tzinfo | None) -> str:
    return "every thread waits for work"


def _no_thread_busy(claim: Claim, _: tzinfo | None) -> str:
    unknown, of = claim.number("unknown"), claim.number("observations")
    if not unknown:
        return "no thread was seen at work, of those that could be read"
    most = ""
    if claim.text("most"):
        part = share(claim.number("most_observations"), of)
        most = f"; most of these ({part} of all): {claim.text('most')}"
    return (
        "no thread was seen at work; whether it waits for work cannot be told in "
        f"{share(unknown, of)} of the observations{most}"
    )


def _process_condition(claim: Claim, _: tzinfo | None) -> str:
    words = {
        "stopped": "is stopped (SIGSTOP or job control): it serves nothing until it gets SIGCONT",
        "traced": "is stopped by a tracer",
        "dying": "is about to end",
        "zombie": "has ended and its parent has not reaped it (zombie)",
    }[claim.text("condition")]
    by = f" ({claim.text('by')})" if claim.text("by") else ""
    return f"{claim.subject} {words}{by}."


def short(where: str) -> str:
    """`function (path/to/file.py:12)` with the last two parts of the path."""
    name, paren, rest = where.partition(" (")
    parts = rest.split("/")
    return f"{name}{paren}{'/'.join(parts[-2:])}" if paren else where


# --- findings, layers, the verdict --------------------------------------------------------------


def _factor(claim: Claim, tz: tzinfo | None) -> str:
    return f"{times.told(claim.text('title'), tz)} ({claim.subject}, {claim.text('confidence')} evidence)"


def _who_is_hit(claim: Claim, tz: tzinfo | None) -> str:
    return f"{times.told(claim.text('title'), tz)} ({claim.subject})."


def _bad_ones_say(claim: Claim, _: tzinfo | None) -> str:
    after, of = claim.number("after"), claim.number("of")
    said = shorten(claim.subject, _LONGEST_MESSAGE)
    return f"{after:,.0f} of {of:,.0f} bad requests say: {said}"


def _lines_say(claim: Claim, _: tzinfo | None) -> str:
    said = shorten(claim.subject, _LONGEST_MESSAGE)
    return f"{claim.number('after'):,.0f} error lines say: {said}"


def _nothing_found(claim: Claim, _: tzinfo | None) -> str:
    return f"Nothing wrong was found with the target in {claim.subject or 'any layer'}."


def _nothing_among_read(claim: Claim, _: tzinfo | None) -> str:
    return f"No cause was found in what could be read ({_read(claim)})."


def _nothing_in_steady_log(claim: Claim, _: tzinfo | None) -> str:
    return f"The log is steady, and nothing was found in what could be read ({_read(claim)})."


def _read(claim: Claim) -> str:
    part = f"; in part: {claim.text('part')}" if claim.text("part") else ""
    unread = f"; not read: {claim.text('unread')}" if claim.text("unread") else ""
    return f"{claim.subject or 'no layer'}{part}{unread}"


def _target_ended(claim: Claim, tz: tzinfo | None) -> str:
    at = claim.maybe("at")
    when = f" at {times.clock(at, tz, zone=True)}" if at is not None else ""
    return f"{claim.subject} ended while locard looked{when}."


def _layer_healthy(claim: Claim, _: tzinfo | None) -> str:
    return f"{claim.subject}: nothing found"


def _layer_nothing_found(claim: Claim, _: tzinfo | None) -> str:
    return f"{claim.subject}: nothing found in what could be read"


def _layer_unusual(claim: Claim, _: tzinfo | None) -> str:
    readings = count(int(claim.number("readings")), "reading")
    return f"{claim.subject}: no finding, though {readings} out of the usual"


def _layer_unread(claim: Claim, _: tzinfo | None) -> str:
    unlock = f" To unlock: {claim.text('unlock')}" if claim.text("unlock") else ""
    return f"{claim.subject}: {claim.text('why').rstrip('.')}.{unlock}"


def _cannot_tell(claim: Claim, _: tzinfo | None) -> str:
    return f"{claim.subject}: cannot be told, {claim.text('why')}"


def _metrics_say(claim: Claim, tz: tzinfo | None) -> str:
    words = _told(claim, tz)
    return words if claim.slot in {"affected", "unaffected"} else words[:1].upper() + words[1:]


def _plain(text: str) -> Words:
    return lambda _, __: text


_NAMES = frozenset(licence.__name__ for licence in LICENCES.values())
_SENTENCES: dict[str, Words] = {
    "cannot_tell": _cannot_tell,
    "no_logs": _plain("No logs were looked at."),
    "logs_unread": _plain("The logs could not be read."),
    **dict.fromkeys((kind for kind, need in LICENCES.items() if need is log_stands), _log_stands),
    "metrics_say": _metrics_say,
    "bad_means": _bad_means,
    "log_read": _log_read,
    "log_begins": _told,
    "log_alarm": _log_alarm,
    "spread_untold": _spread_untold,
    "outcome_field": _outcome_field,
    "rest_for_everyone": _rest_for_everyone,
    "log_holds_part": _log_holds_part,
    "onset_known": _onset_known,
    "onset_before": _onset_before,
    "onset_unknown": _plain("No onset is known."),
    "set_hit": _set_hit,
    "values_hit": _values,
    "values_spared": _values,
    "values_unknown": _values,
    "every_value_hit": _every_value_hit,
    "threads_lead": _threads_lead,
    "threads_do": _threads_do,
    "threads_rest": _threads_rest,
    "every_thread_idle": _every_thread_idle,
    "no_thread_busy": _no_thread_busy,
    "process_condition": _process_condition,
    "target_ended": _target_ended,
    "factor": _factor,
    "who_is_hit": _who_is_hit,
    "also_seen": _who_is_hit,
    "bad_ones_say": _bad_ones_say,
    "some_say": _bad_ones_say,
    "lines_say": _lines_say,
    "nothing_found": _nothing_found,
    "nothing_among_read": _nothing_among_read,
    "nothing_in_steady_log": _nothing_in_steady_log,
    "layer_healthy": _layer_healthy,
    "layer_nothing_found": _layer_nothing_found,
    "layer_unusual": _layer_unusual,
    "layer_skipped": _layer_unread,
    "layer_no_data": _layer_unread,
}
