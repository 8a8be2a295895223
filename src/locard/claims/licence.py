"""The licences: which claim the evidence carries, and which weaker one stands in where it does not.

This is the one place that decides. A renderer prints what `grant` returned and nothing else; a kind
without a licence cannot be said at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args

from locard.claims.logs import kind_of, of_state, standing
from locard.model import log_state
from locard.model.claim import Claim, Licensed, figures
from locard.model.evidence import Layer, Status
from locard.model.facts import RuntimeCoverage
from locard.model.finding import Confidence, Role, Severity
from locard.model.log_facts import LogSummary
from locard.model.wording import contradicts_itself

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from locard.claims.record import Record
    from locard.model.finding import Finding
    from locard.model.log_facts import AffectedValue

LEAST_SEEN = 4  # observations of busy threads, below which they lead nowhere
LEAST_SHARE = 0.5  # of them, that a lead has to cover
_LEAST_SAYING = 3  # bad requests that say the same
CALM = frozenset({"log_steady", "log_slight"})  # the log shows that all is well
_STEPS = 6  # from a claim to the weakest one that stands in for it


class Withheld(NamedTuple):
    """What may be said instead, and why."""

    instead: Claim
    why: str


Licence = "Callable[[Claim, Record], Withheld | None]"


class UnlicensedError(Exception):
    """A claim of a kind that has no licence: a bug, found by the tests."""


def grant(claim: Claim, record: Record) -> Licensed:
    """The claim if the evidence carries it, else what it does carry; raises UnlicensedError."""
    now, reasons = claim, list[str]()
    for _ in range(_STEPS):
        licence = LICENCES.get(now.kind)
        if licence is None:
            raise UnlicensedError(f"{now.kind!r} has no licence")
        withheld = _uncited(now, record) or licence(now, record)
        if withheld is None:
            stronger = claim.kind if now is not claim else ""
            return Licensed(now, licence.__name__, stronger, "; ".join(reasons))
        now = withheld.instead
        reasons.append(withheld.why)
    raise UnlicensedError(f"{claim.kind!r} finds no claim that stands in for it")


def grant_all(claims: Iterable[Claim], record: Record) -> tuple[Licensed, ...]:
    """Each claim as far as it may be said."""
    return tuple(grant(claim, record) for claim in claims)


def _uncited(claim: Claim, record: Record) -> Withheld | None:
    """Whatever is said of the target rests on evidence that exists and said something."""
    if claim.kind in _NEEDS_NO_EVIDENCE:
        return None
    items = [record.item(i) for i in claim.evidence]
    if items and all(i is not None and (i.facts or i.ran) for i in items):
        return None
    why = "no evidence is cited for it" if not items else "the evidence cited holds no fact"
    return _cannot_tell(claim, why)


def _cannot_tell(claim: Claim, why: str) -> Withheld:
    weaker = Claim(claim.slot, "cannot_tell", claim.subject, figures(why=why), claim.evidence)
    return Withheld(weaker, why)


def said_as_is(_: Claim, __: Record) -> None:
    """A statement about the record itself (what was read, what was skipped, what is not known)."""


# --- the log ------------------------------------------------------------------------------------


def log_stands(claim: Claim, record: Record) -> Withheld | None:
    """The log is judged to stand so (model/log_state.py): read enough, errors told, level not bad."""
    log = _log(claim, record)
    if log is None:
        return _cannot_tell(claim, "no log stands in the record")
    state = log_state.judge(log)
    if claim.kind in {kind_of(s) for s in (state, *state.further)}:
        return None
    why = "; ".join(state.why) or f"the log is {state.kind.replace('-', ' ')}"
    return Withheld(of_state(log, state, claim.evidence, claim.slot), why)


def onset_known(claim: Claim, record: Record) -> Withheld | None:
    """An interval with its confidence; without a baseline it is only "before"."""
    log = _log(claim, record)
    if log is None or log.onset is None:
        return Withheld(Claim("onset", "onset_unknown", *_rest(claim)), "no onset is recorded")
    if not log.onset.baseline_seen:
        why = "the record begins in the middle of it"
        return Withheld(Claim("onset", "onset_before", *_rest(claim)), why)
    return None


def set_hit(claim: Claim, record: Record) -> Withheld | None:
    """The set stands among the correlates and explains a part of the excess beyond chance."""
    log = _log(claim, record)
    named = ", ".join
    for item in log.correlates if log else ():
        if named(f"{f}={v}" for f, v in item.values) == claim.subject:
            return None if item.p_value <= 0.05 else _cannot_tell(claim, "it may be chance")  # noqa: PLR2004
    return _cannot_tell(claim, "the log's correlates do not name it")


def values_hit(claim: Claim, record: Record) -> Withheld | None:
    """Each value got worse beyond chance, by the test of the blast radius."""
    return None if _values(claim, record, "affected") else _cannot_tell(claim, "it was not tested")


def values_spared(claim: Claim, record: Record) -> Withheld | None:
    """Each value had requests enough to exclude the rate of those that are hit."""
    values = _values(claim, record, "unaffected")
    hit = _values(claim, record, "affected")
    if not values:
        return _cannot_tell(claim, "it was not tested")
    worst = min((v.after_rate for v in hit), default=None)
    if worst is not None and any(v.high >= worst for v in values):
        why = "too few requests to exclude the rate of those that are hit"
        return Withheld(Claim("unknown", "values_unknown", *_rest(claim)), why)
    return None


def every_value_hit(claim: Claim, record: Record) -> Withheld | None:
    """A field that was tested, with requests enough, and none of its values spared."""
    log = _log(claim, record)
    if log is None:
        return _cannot_tell(claim, "no log stands in the record")
    spread = log_state.spread(log)
    if spread.kind == "everyone":
        return None
    why = spread.why or "some values are spared"
    return Withheld(Claim(claim.slot, "spread_untold", *_rest(claim)), why)


def rest_for_everyone(claim: Claim, record: Record) -> Withheld | None:
    """What the correlates do not explain was tested as they were, and no set of values stands out."""
    log = _log(claim, record)
    if log is None or log_state.spread(log).kind in {"untested", "unknown"}:
        return _cannot_tell(claim, "no field was there to test whom it hits")
    return None


def _log(claim: Claim, record: Record) -> LogSummary | None:
    source = claim.text("log")
    for evidence, log in record.case.facts(LogSummary):
        if evidence.id in claim.evidence and source in {"", log.source}:
            return log
    return None


def _values(claim: Claim, record: Record, side: str) -> tuple[AffectedValue, ...]:
    log = _log(claim, record)
    radius = next((r for r in (log.blast_radius if log else ()) if r.field == claim.subject), None)
    found: tuple[AffectedValue, ...] = getattr(radius, side) if radius else ()
    return found


def _rest(claim: Claim) -> tuple[str, tuple, tuple[str, ...]]:  # type: ignore[type-arg]
    return claim.subject, claim.figures, claim.evidence


# --- the processes ------------------------------------------------------------------------------


def leads(claim: Claim, record: Record) -> Withheld | None:
    """Enough observations, of which this is most; what was not read is not claimed."""
    few = claim.number("observations") < LEAST_SEEN
    unread = not any(
        samples.states or samples.missed for _, samples in record.states()
    ) and not any(samples.stacks for _, samples in record.stacks())
    if few or unread or claim.number("share") < LEAST_SHARE:
        why = "too few threads were seen at it to call it what most of them do"
        return Withheld(Claim(claim.slot, "threads_do", *_rest(claim)), why)
    return None


def every_thread_idle(claim: Claim, record: Record) -> Withheld | None:
    """Stacks of every process, and each wait known to be for work."""
    unread = [m for _, samples in record.stacks() for m in samples.missed]
    unread += [
        f"{p.runtime} (pid {p.pid}): {p.why}"
        for _, coverage in record.case.facts(RuntimeCoverage)
        for p in coverage.processes
        if p.why or p.hidden
    ]
    read = any(samples.stacks for _, samples in record.stacks())
    lacking = [f"not read: {unread[0]}"] if unread else []
    if claim.number("unknown"):
        lacking.append("what some threads wait for is not known")
    if not read:
        lacking.append("no stack of a thread was read")
    if lacking:
        return Withheld(Claim(claim.slot, "no_thread_busy", *_rest(claim)), "; ".join(lacking))
    return None


# --- findings, layers, the verdict --------------------------------------------------------------


def factor(claim: Claim, record: Record) -> Withheld | None:
    """A finding of the rules that is a mechanism and cites what it rests on."""
    found = _finding(claim, record)
    if found is None or not found.supports:
        return _cannot_tell(claim, "no rule found it")
    if contradicts_itself(found.title):
        return _cannot_tell(claim, "its numbers contradict its words")
    if found.role is Role.CONTEXT:
        return Withheld(Claim("also_seen", "also_seen", *_rest(claim)), "it is background")
    return None


def also_seen(claim: Claim, record: Record) -> Withheld | None:
    """A finding that is about the surroundings, or too weak to lead."""
    return None if _finding(claim, record) else _cannot_tell(claim, "no rule found it")


def bad_ones_say(claim: Claim, record: Record) -> Withheld | None:
    """A message that is new or more frequent since the onset, on a good part of the bad requests."""
    log = _log(claim, record)
    rest = _rest(claim)
    if log is None or claim.number("after") < _LEAST_SAYING:
        return Withheld(Claim(claim.slot, "some_say", *rest), "few say it")
    if claim.number("after") < LEAST_SHARE * log.after_bad:
        return Withheld(Claim(claim.slot, "some_say", *rest), "most of the bad ones do not say it")
    return None


def nothing_found(claim: Claim, record: Record) -> Withheld | None:
    """Logs that are known to be steady and good, and every layer read whole, with nothing in it."""
    lacking = []
    logs = record.chosen_log()
    if logs is None:
        lacking.append("no log was read")
    else:
        said = grant(claim_of_log(logs), record).claim
        if said.kind not in CALM:
            lacking.append("the log does not show that all is well")
    for state in record.layers:
        if state.status in {"skipped", "no_data"} and state.layer is not Layer.METRICS:
            lacking.append(f"{state.layer}: not read")
        elif state.status == "partial":
            lacking.append(f"{state.layer}: read in part")
    if any(f.severity is not Severity.INFO and f.role is not Role.CONTEXT for f in record.findings):
        lacking.append("rules found something")
    if lacking:
        kind = "nothing_in_steady_log" if calm(record) else "nothing_among_read"
        return Withheld(Claim("verdict", kind, *_rest(claim)), "; ".join(lacking))
    return None


def calm(record: Record) -> bool:
    """Whether the log shows that all is well."""
    logs = record.chosen_log()
    return logs is not None and grant(claim_of_log(logs), record).claim.kind in CALM


def claim_of_log(logged: tuple[str, LogSummary]) -> Claim:
    """What the log says of a change, unlicensed."""
    evidence, log = logged
    return standing(log, (evidence,))


def layer_healthy(claim: Claim, record: Record) -> Withheld | None:
    """Every probe of the layer gave its answer, and none of the readings is bad or unknown."""
    items = [i for e in claim.evidence if (i := record.item(e))]
    unknown = sum(
        r.verdict == "unknown"
        for i in items
        for fact in i.facts
        for r in getattr(fact, "readings", ())
    )
    if unknown or any(i.status is not Status.OK for i in items):
        why = f"{unknown} readings are unknown" if unknown else "it was read in part"
        return Withheld(Claim(claim.slot, "layer_nothing_found", *_rest(claim)), why)
    return None


def _finding(claim: Claim, record: Record) -> Finding | None:
    return record.finding(claim.text("finding"))


def strong(finding: Finding) -> bool:
    """Whether a finding may lead a verdict before what most threads do."""
    return finding.confidence is not Confidence.WEAK


_NEEDS_NO_EVIDENCE = frozenset(
    {"cannot_tell", "layer_skipped", "layer_no_data", "no_logs", "nothing_among_read", "nothing_in_steady_log", "logs_unread",
     "onset_unknown", "nothing_found"}
)  # fmt: skip
LICENCES: dict[str, Callable[[Claim, Record], Withheld | None]] = {
    "cannot_tell": said_as_is,
    "no_logs": said_as_is,
    "logs_unread": said_as_is,
    **{f"log_{kind.replace('-', '_')}": log_stands for kind in get_args(log_state.StateKind)},
    "bad_means": said_as_is,
    "outcome_field": said_as_is,
    "rest_for_everyone": rest_for_everyone,
    "log_alarm": said_as_is,
    "spread_untold": said_as_is,
    "log_holds_part": said_as_is,
    "onset_known": onset_known,
    "onset_before": said_as_is,
    "onset_unknown": said_as_is,
    "set_hit": set_hit,
    "values_hit": values_hit,
    "values_spared": values_spared,
    "values_unknown": said_as_is,
    "every_value_hit": every_value_hit,
    "threads_lead": leads,
    "threads_do": said_as_is,
    "threads_rest": said_as_is,
    "every_thread_idle": every_thread_idle,
    "no_thread_busy": said_as_is,
    "process_condition": said_as_is,
    "target_ended": said_as_is,
    "factor": factor,
    "who_is_hit": also_seen,
    "also_seen": also_seen,
    "bad_ones_say": bad_ones_say,
    "some_say": said_as_is,
    "nothing_found": nothing_found,
    "nothing_in_steady_log": said_as_is,
    "nothing_among_read": said_as_is,
    "layer_healthy": layer_healthy,
    "layer_nothing_found": said_as_is,
    "layer_skipped": said_as_is,
    "layer_no_data": said_as_is,
}
