"""An upstream answers more slowly than before, and the service waits for it.

Pattern: requests that need one upstream are slow or time out; the service's own threads wait in
  calls to it; its other upstreams and its own code are as fast as ever.
Evidence: the log's correlates single out a value of the upstream field together with slow requests
  or time-outs; the latency of the calls to it rose in the metrics; the threads that are busy sit
  in outbound calls; the kernel shows them waiting for one far end.
Against: calls to it take no longer than before; another field says it better; the busy threads
  wait for a lock of their own process or for another peer.
Next: look at that upstream from its own side, and at the connections to it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from locard.model import kernel_words
from locard.model.evidence import Layer
from locard.model.facts import StackSamples, ThreadStates
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import correlate_words
from locard.model.log_facts import LogSummary
from locard.model.log_latency import risen
from locard.model.log_state import judge as stands
from locard.model.stacks import is_busy
from locard.model.wording import count
from locard.rules import _facts, _kernel, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case
    from locard.model.log_facts import Correlate
    from locard.rules._facts import Rise

P_VALUE = 0.01
LEAST_SHARE = 0.2  # of the excess that the upstream explains, else it is not the story
P_VALUE_ALONE = 1e-3  # where no log says it; then the threads must agree as well
LEAST_OF_BUSY = 0.5  # of the busy observations that wait for one peer
_DNS = ":53"  # the look-up of names is a rule of its own
_SLOW_CONNECT_S = 0.2  # a way around the world takes less
_MIN_SEEN = 3  # observations of threads; fewer say nothing

_TIMEOUT = re.compile(r"tim(ed|e)[ -]?out|deadline|ETIMEDOUT|took too long", re.IGNORECASE)
_OUTBOUND = (
    "http/client.py", "urllib/request.py", "urllib3/", "requests/", "httpx/", "httpcore/",
    "aiohttp/client", "grpc/", "psycopg", "pymysql/", "redis/", "pymongo/", "botocore/",
)  # fmt: skip


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the upstream that logs or, without them, metrics or threads single out; else by connects."""
    found = list(_from_all_layers(case))
    yield from found or _from_connects(case)


def _from_connects(case: Case) -> Iterator[Finding]:
    """Peers to which a connection takes long to come about, where others are quick."""
    for evidence, trace in _kernel.traces(case, "tcp-connect-latency"):
        good = [r for r in trace.rows if r.result == "ok"]
        slow = [r for r in good if (r.p50_s or 0.0) >= _SLOW_CONNECT_S and r.count >= _MIN_SEEN]
        for row in slow:
            quick = [r.what for r in good if (r.p50_s or 0.0) < _SLOW_CONNECT_S / 4]
            says = (
                f"{count(row.count, 'connect')} to {row.what} took {kernel_words.duration(row.p50_s)} in the"
                f" middle, {kernel_words.duration(row.max_s)} at most"
                + (f" ({row.detail})" if row.detail else "")
                + (f"; {quick[0]} answers in time" if quick else "")
            )
            found = _finding(
                row.what,
                [Support(evidence.id, Layer.KERNEL, says)],
                [],
                values=(("upstream", row.what),),
                explains=None,
                peer=row.what,
                over=False,
            )
            title = (
                f"Connections to {row.what} take {kernel_words.duration(row.p50_s)} to come about"
            )
            severity = Severity.CRITICAL if _waits.trouble(case) else Severity.WARNING
            yield replace(found, title=title, severity=severity)


def _from_all_layers(case: Case) -> Iterator[Finding]:
    chosen = _from_logs(case)
    rises = _facts.rises(case, "client")
    if chosen is not None:
        evidence, summary, correlate, name = chosen
        rise = next((r for r in rises if r.subject == name and r.rose), None)
        rise = rise or next((r for r in rises if r.subject == name), None)
        if rise and rise.steady and correlate.share_of_excess < 0.5:  # noqa: PLR2004 - not even half
            return
        supports = [Support(evidence, Layer.LOGS, _log_words(summary, correlate))]
        values = correlate.values
        explains = correlate.share_of_excess if summary.claims_rates else None
    else:
        rise = _from_metrics(rises)
        if rise is None:
            yield from _from_threads(case)
            return
        name, supports = rise.subject, []
        values, explains = (("upstream", name),), None
    against = list(_logs_against(case, chosen[2] if chosen else None))
    if rise and rise.rose:
        supports.append(Support(rise.evidence, Layer.METRICS, f"calls to {name}: {rise.words}"))
    elif rise and rise.steady:
        says = f"calls to {name} take no longer than before: {rise.words}"
        against.append(Support(rise.evidence, Layer.METRICS, says))
    peer = _peer_of(case, name, rise)
    for_, counter = _threads(case, name, peer)
    if chosen is None and not for_:
        return
    supports += for_
    against += counter
    over = chosen is not None and stands(chosen[1]).over
    yield _finding(name, supports, against, values=values, explains=explains, peer=peer, over=over)


def _finding(
    name: str,
    supports: list[Support],
    against: list[Support],
    *,
    values: tuple[tuple[str, str], ...],
    explains: float | None,
    peer: str | None,
    over: bool,
) -> Finding:
    others = [f"{k}={v}" for k, v in values if v != name]
    where = f" for {', '.join(others)}" if others else ""
    commands = []
    if peer:
        host, _, port = peer.rpartition(":")
        commands.append(f"ss -tnpi dst {host} dport = :{port}")
    return Finding(
        rule="upstream-slow",
        layer=supports[0].layer,
        role=Role.MECHANISM,
        severity=Severity.WARNING if over else Severity.CRITICAL,
        title=f"The upstream {name} {'answered' if over else 'answers'} slowly{where}",
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        explains=explains,
        values=values,
        next_commands=tuple(commands),
    )


def _from_logs(case: Case) -> tuple[str, LogSummary, Correlate, str] | None:
    """Evidence, summary, correlate and value of the upstream that the logs single out."""
    best: tuple[str, LogSummary, Correlate, str] | None = None
    for evidence, summary in case.facts(LogSummary):
        if not summary.changed or not _slow(summary):
            continue
        fields = _facts.upstream_fields(summary)
        for correlate in summary.correlates:
            name = next((v for f, v in correlate.values if f in fields), None)
            fits = correlate.p_value <= P_VALUE and correlate.share_of_excess >= LEAST_SHARE
            better = best is None or correlate.share_of_excess > best[2].share_of_excess
            if name is not None and fits and better:
                best = (evidence.id, summary, correlate, name)
    return best


def _from_threads(case: Case) -> Iterator[Finding]:
    """The one peer that most busy threads wait for, where the service is in trouble besides."""
    waits, trouble = _waits.peer_waits(case), _waits.trouble(case)
    if waits is None or not trouble or waits.connecting * 2 > waits.count:
        return
    known = waits.peer
    other_rule = waits.address.endswith(_DNS) or (
        known is not None and any(s.title.endswith("waiting") for s in known.sessions)
    )
    if waits.count < LEAST_OF_BUSY * waits.of or other_rule or (known is not None and known.own):
        return
    found = _finding(
        waits.words,
        [waits.support, *trouble[:2]],
        [],
        values=(("upstream", waits.address),),
        explains=None,
        peer=waits.address,
        over=False,
    )
    # Whether it answers late or never is not known: only that the threads wait for it.
    yield replace(found, title=f"Busy threads wait for the answer of {waits.words}")


def _slow(summary: LogSummary) -> bool:
    """Whether it is about time at all: an upstream that fails at once is another pattern."""
    if "latency" in summary.changed and risen(summary) is not None:
        return True
    before, after = summary.before_p99_ms, summary.after_p99_ms
    if before is not None and after is not None and after >= 1.5 * before:
        return True
    if before is not None and after is not None and after < before:
        return False  # calls that time out sooner than any took before: the limit is the trouble
    return any(m.after > m.before and _TIMEOUT.search(m.example) for m in summary.messages)


def _log_words(summary: LogSummary, correlate: Correlate) -> str:
    words = correlate_words(summary, correlate)
    if summary.before_p99_ms is not None and summary.after_p99_ms is not None:
        words += f"; p99 {summary.before_p99_ms:.0f} ms before, {summary.after_p99_ms:.0f} ms after"
    return words


def _from_metrics(rises: list[Rise]) -> Rise | None:
    """The one upstream whose calls got slower beyond doubt."""
    level = P_VALUE_ALONE / max(1, len(rises))
    sure = [r for r in rises if r.rose and r.p_value is not None and r.p_value <= level]
    if not sure or len(sure) == len(rises) > 1:  # all at once: it is not one upstream
        return None
    return max(sure, key=lambda r: (r.ratio or 0.0) * r.count)


def _logs_against(case: Case, chosen: Correlate | None) -> Iterator[Support]:
    yield from _facts.steady_logs(case, "the log is steady: no change of errors or latency")
    for evidence, summary in case.facts(LogSummary):
        top = max(summary.correlates, key=lambda c: c.share_of_excess, default=None)
        if top is None or (chosen and top.share_of_excess <= 1.5 * chosen.share_of_excess):
            continue
        fields = _facts.upstream_fields(summary)
        if not any(f in fields for f, _ in top.values):
            pairs = " and ".join(f"{k}={v}" for k, v in top.values)
            much = f": {top.share_of_excess:.0%}" if summary.claims_rates else ""
            says = f"{pairs} explains more of the excess{much}"
            yield Support(evidence.id, Layer.LOGS, says)


def _peer_of(case: Case, name: str, rise: Rise | None) -> str | None:
    """host:port of the upstream: named beside it in a log message, or by the metrics' port."""
    peers = Counter(
        s.peer for _, states in case.facts(ThreadStates) for s in states.states if s.peer
    )
    for _, summary in case.facts(LogSummary):
        for message in summary.messages:
            if name in message.example:
                found = next((p for p in peers if _mentions(message.example, p)), None)
                if found:
                    return found
    if rise and rise.port:
        return next((p for p, _ in peers.most_common() if p.endswith(f":{rise.port}")), None)
    return None


def _mentions(text: str, peer: str) -> bool:
    return re.search(rf"{re.escape(peer)}(?!\d)", text) is not None


def _threads(case: Case, name: str, peer: str | None) -> tuple[list[Support], list[Support]]:
    """What runtime and kernel say for and against waiting for this upstream."""
    supports: list[Support] = []
    against: list[Support] = []
    for evidence, samples in case.facts(StackSamples):
        busy = [s for s in samples.stacks if is_busy(s)]
        out = [s for s in busy if any(_outbound(f.file) for f in s.frames)]
        if len(busy) >= _MIN_SEEN:
            says = f"{len(out)} of {len(busy)} observations of busy threads are in an outbound call"
            if len(out) >= max(_MIN_SEEN, 0.4 * len(busy)):
                supports.append(Support(evidence.id, Layer.RUNTIME, says))
            elif len(out) < 0.1 * len(busy):
                against.append(Support(evidence.id, Layer.RUNTIME, f"only {says}"))
    for evidence, states in case.facts(ThreadStates):
        waits = Counter(s.peer for s in states.states if s.peer and s.state != "R")
        if sum(waits.values()) < _MIN_SEEN:
            continue
        top, count = waits.most_common(1)[0]
        says = f"{count} of {sum(waits.values())} observations of threads that wait for a peer"
        if peer is not None and top != peer:
            if waits[peer] < 0.1 * sum(waits.values()):
                text = f"{says} wait for {top}, not for {peer} ({name})"
                against.append(Support(evidence.id, Layer.KERNEL, text))
        elif count >= max(_MIN_SEEN, 0.5 * sum(waits.values())):
            who = f"{top} ({name})" if peer else f"the one peer {top}"
            supports.append(Support(evidence.id, Layer.KERNEL, f"{says} wait for {who}"))
    return supports, against


def _outbound(file: str) -> bool:
    return any(mark in file for mark in _OUTBOUND)
