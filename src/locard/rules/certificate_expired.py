"""A TLS certificate has expired, and calls that need it fail.

Pattern: since the onset handshakes fail because a certificate is past its end; new connections
  cannot be made, those that were open went on for a while.
Evidence: messages of bad requests say so, in the words of the TLS library, and were not there
  before; the correlates name the upstream whose calls fail.
Against: the same messages were there before; they are few of the bad requests.
Next: look at the certificate that the far end sends, and at what should have renewed it.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import correlate_words
from locard.model.log_facts import LogSummary
from locard.model.log_state import judge as stands
from locard.rules import _facts, _groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case
    from locard.model.log_facts import Correlate, MessageCount

# OpenSSL, Python, curl and nginx; BoringSSL and Go; the JDK; Node; rustls; GnuTLS; Schannel, .NET.
_EXPIRED = re.compile(
    r"certificate[ _]has[ _]expired|certificate has expired or is not yet valid"
    r"|certificate[ _]expired|CertificateExpiredException|CERT(IFICATE)?_(HAS_)?EXPIRED"
    r"|CertExpired|certificate: Expired|uses expired certificate|certificate .{0,60}\bis expired"
    r"|ERR_CERT_DATE_INVALID|NotTimeValid|CERT_E_EXPIRED",
    re.IGNORECASE,
)
_SOME_BEFORE = 0.1  # of how often they come since the onset
_LEAST_SHARE = 0.1  # of the bad requests since the onset
_PEER = re.compile(r"(?<![\w.-])([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):(\d{2,5})(?!\d)")


def judge(case: Case) -> Iterator[Finding]:
    """One finding for each log whose bad requests say it."""
    for evidence, log in case.facts(LogSummary):
        said = [m for m in log.messages if m.after and _EXPIRED.search(m.example)]
        before, after = sum(m.before for m in said), sum(m.after for m in said)
        # As rare since the onset as before: it is not what changed.
        grown = after * max(1, log.before_total) > 2 * before * max(1, log.after_total)
        if log.changed and grown and after >= _LEAST_SHARE * log.after_bad:
            yield _finding(evidence, log, said)


def _finding(evidence: Evidence, log: LogSummary, said: list[MessageCount]) -> Finding:
    before, after = sum(m.before for m in said), sum(m.after for m in said)
    words = f"{after} messages since the onset, {before} before: {said[0].example}"
    supports = [Support(evidence.id, Layer.LOGS, words)]
    against = []
    # One or two may only mean that the onset is dated a moment late.
    if before * log.after_total > _SOME_BEFORE * after * log.before_total:
        text = f"{before} such messages were there before the onset"
        against.append(Support(evidence.id, Layer.LOGS, text))
    correlate, name = _upstream(log)
    if correlate is not None:
        words = correlate_words(log, correlate)
        supports.append(Support(evidence.id, Layer.LOGS, words))
    whose = f" of {name}" if name else ""
    peer = _peer(log, said, name)
    return Finding(
        rule="certificate-expired",
        layer=Layer.LOGS,
        role=Role.MECHANISM,
        severity=Severity.WARNING if stands(log).over else Severity.CRITICAL,
        title=f"The TLS certificate{whose} had expired"
        if stands(log).over
        else f"The TLS certificate{whose} has expired",
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        explains=min(1.0, round(after / log.after_bad, 4))
        if log.after_bad and log.claims_rates
        else None,
        values=correlate.values if correlate else (),
        next_commands=(f"openssl s_client -connect {shlex.quote(peer)} </dev/null",)
        if peer
        else _groups.trace_command(log),
    )


def _upstream(log: LogSummary) -> tuple[Correlate | None, str]:
    fields = _facts.upstream_fields(log)
    for correlate in log.correlates:
        name = next((v for f, v in correlate.values if f in fields), None)
        if name is not None and correlate.p_value <= _groups.P_VALUE:
            return correlate, name
    return None, ""


def _peer(log: LogSummary, said: list[MessageCount], name: str) -> str:
    """host:port of the far end: in the message, else the one affected value that is one."""
    if _PEER.fullmatch(name):
        return name
    for message in said:
        found = _PEER.search(message.example)
        if found:
            return found[0]
    hit = [v.value for r in log.blast_radius if r.unaffected for v in r.affected]
    peers = [value for value in hit if _PEER.fullmatch(value)]
    return peers[0] if len(peers) == 1 else ""
