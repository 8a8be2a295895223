"""An upstream answers with errors, or hangs up before it has answered.

Pattern: calls to another service fail quickly; what the service gets is a closed connection, a reset or
  an error status. It is not slow.
Evidence: messages of bad requests that say that the far end closed, reset or failed.
Against: the requests got slower as well: then time-outs on this side may close the connections.
Next: the log of that upstream at the same times; idle time-outs of both sides against each other.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import TYPE_CHECKING

from locard.model.finding import Finding, Role, Severity, Support
from locard.model.log_spread import spread
from locard.rules import _facts, _said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case
    from locard.model.log_facts import LogSummary

_CLOSED = re.compile(
    r"prematurely closed (the )?connection|connection reset by peer|ECONNRESET|socket hang up"
    r"|RemoteDisconnected|Remote end closed connection|server disconnected|ServerDisconnected"
    r"|Connection aborted|unexpected EOF|upstream connect error or disconnect|broken pipe"
    r"|no response received from|IncompleteRead|peer closed connection|\bConnection closed before\b"
    r"|stream reset|RST_STREAM|transport is closing",
    re.IGNORECASE,
)
_FAILED = re.compile(
    r"(upstream|backend|service|gateway|provider|partner|api)\S* .{0,60}\b(5\d\d|unavailable|bad gateway)\b"
    r"|\b(502 Bad Gateway|503 Service (Temporarily )?Unavailable|500 Internal Server Error for url)"
    r"|Server Error: .{0,40} for url|upstream sent invalid",
    re.IGNORECASE,
)
_NEARLY_ALL = 0.8  # of the excess is explained by who calls
_MOSTLY = (
    0.9  # of such messages are of one upstream: the first of several that are called fails most
)
_SLOWER = 2.0  # times the p99 before


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log whose bad requests say it."""
    for pattern, what in (
        (_CLOSED, "closes connections before it has answered"),
        (_FAILED, "fails"),
    ):
        for said in _said.growing(case, pattern):
            if pattern is _FAILED and not _is_one(said.log):
                continue
            address = _said.address_in(said.example)
            who = f"An upstream (for example {address})" if address else "An upstream"
            log = said.log
            against = []
            if (
                log.before_p99_ms
                and log.after_p99_ms
                and log.after_p99_ms > _SLOWER * log.before_p99_ms
            ):
                says = f"requests got slower too: p99 {log.before_p99_ms:.0f} to {log.after_p99_ms:.0f} ms"
                against.append(Support(said.evidence, said.support.layer, says))
            yield Finding(
                rule="upstream-errors",
                layer=said.support.layer,
                role=Role.MECHANISM,
                severity=Severity.CRITICAL,
                title=f"{who} {what}",
                detail=said.support.says,
                supports=(said.support,),
                against=tuple(against),
                explains=said.explains,
                next_commands=said.commands,
            )
            return


def _is_one(log: LogSummary) -> bool:
    """Whether one upstream fails: not each of several, nor for one group of callers only.

    Then what the callers send, or the instance that calls, is at fault.
    """
    upstream = _facts.upstream_fields(log)
    for correlate in log.correlates[:1]:
        if not any(field in upstream for field, _ in correlate.values):
            return correlate.share_of_excess < _NEARLY_ALL
    hit = spread(log)
    if hit.kind == "everyone" and upstream.intersection(hit.fields):
        return False
    counts: Counter[tuple[str, ...]] = Counter()
    for message in log.messages:
        counts[_words(message.template)] += message.after
    fits = {_words(m.template) for m in log.messages if m.after and _FAILED.search(m.example)}
    alike = [n for words, n in counts.items() if any(_differ_in_name(words, f) for f in fits)]
    return not alike or max(alike) >= _MOSTLY * sum(alike)


def _words(template: str) -> tuple[str, ...]:
    """The words of a message without its numbers: one upstream may answer 500 and 503."""
    return tuple(re.sub(r"\d+", "#", template).split())


def _differ_in_name(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two messages are the same but for at most one word, such as the name of what failed."""
    pairs = list(itertools.zip_longest(one, other))
    return one == other or (len(pairs) > 1 and sum(a != b for a, b in pairs) == 1)
