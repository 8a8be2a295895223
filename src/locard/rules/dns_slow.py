"""Names are looked up slowly or not at all: threads wait for a name server.

Pattern: each call to another service begins with a look-up; a name server that is gone costs seconds
  a call, and a long search list multiplies them. The service that is called answers at once.
Evidence: busy threads that wait for port 53, or sit in getaddrinfo; messages that say so; lookups that
  the kernel saw, with their questions.
Against: few of the busy threads do.
Next: ask that name server itself; see the search list, its options and the order of the servers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import share
from locard.model.kernel_words import duration
from locard.model.wording import count
from locard.rules import _kernel, _said, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.finding import Case
    from locard.rules._waits import Seen

_DNS_PORTS = (":53",)
_LOOKS_UP = frozenset({"getaddrinfo", "gethostbyname", "getnameinfo", "gethostbyaddr"})
_LEAST_SHARE = 0.4  # of the busy observations
_LOOKUP = "lookup of "
_SEARCH_S, _SLOW_S = 0.03, 0.1  # of a lookup with its search list, and of any
_LEAST_LOOKUPS = 2
_MESSAGE = re.compile(
    r"temporary failure in name resolution|name or service not known|could not resolve host"
    r"|EAI_AGAIN|ENOTFOUND|getaddrinfo (failed|error)|no such host|NXDOMAIN|SERVFAIL"
    r"|nodename nor servname|UnknownHostException|lookup .{1,80} (i/o timeout|no such host)"
    r"|host (could not be )?(not found|resolved) in upstream|name resolution (failed|timed out)"
    r"|Domain name not found|DNS (resolution|lookup|query)[^.]{0,40}(fail|time)",
    re.IGNORECASE,
)


def judge(case: Case) -> Iterator[Finding]:
    """One finding if busy threads wait for a name server, bad requests say so, or lookups were timed."""
    found = list(_from_threads(case))
    yield from found or _from_kernel(case)


def _from_kernel(case: Case) -> Iterator[Finding]:
    """Lookups that the kernel saw, with the questions that their search list costs."""
    for evidence, trace in _kernel.traces(case, "dns-latency"):
        lookups = [r for r in trace.rows if r.what.startswith(_LOOKUP)]
        slow = [
            r
            for r in lookups
            if (r.p50_s or 0.0) >= (_SEARCH_S if "search path" in r.detail else _SLOW_S)
        ]
        slow = [r for r in slow if r.count >= _LEAST_LOOKUPS]
        if not slow:
            continue
        worst = max(slow, key=lambda r: r.total_s or 0.0)
        name = worst.what.removeprefix(_LOOKUP)
        asked = [
            r for r in trace.rows if not r.what.startswith(_LOOKUP) and r.what.startswith(name)
        ]
        top = max(asked, key=lambda r: r.p50_s or 0.0, default=None)
        says = (
            f"{count(worst.count, 'lookup')} of {name} took {duration(worst.p50_s)} in the middle"
        )
        says += f": {worst.detail}" if worst.detail else ""
        supports = [_kernel.support(evidence, says)]
        if top is not None and top.p50_s:
            words = f"the slowest question is {top.what}: {duration(top.p50_s)}, {top.result}, {top.detail}"
            supports.append(_kernel.support(evidence, words))
        yield _kernel.finding(
            "dns-slow",
            case,
            f"Each lookup of {name} takes {duration(worst.p50_s)}"
            + (f": {worst.detail}" if worst.detail else ""),
            supports,
            values=(("name", name),),
            next_commands=(f"dig +search {name}", "cat /etc/resolv.conf"),
        )


def _from_threads(case: Case) -> Iterator[Finding]:
    seen = _waits.busy(case)
    asking = [s for s in seen if _asks(s)]
    said = next(_said.growing(case, _MESSAGE), None)
    enough = len(asking) >= _waits.LEAST and len(asking) >= _LEAST_SHARE * len(seen)
    trouble = _waits.trouble(case)
    if not (enough and trouble) and said is None:
        return
    supports = [*([_support(asking, seen)] if asking else [])]
    supports += [said.support] if said else list(trouble[:1])
    server = next((s.kernel.peer for s in asking if s.kernel and _is_dns(s.kernel.peer)), None)
    whose = f" of {server}" if server else ""
    yield Finding(
        rule="dns-slow",
        layer=supports[0].layer,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL,
        title=f"Threads wait for the DNS answer{whose}" if enough else "Names cannot be resolved",
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        explains=said.explains if said else None,
        next_commands=_commands(server, asking),
    )


def _asks(seen: Seen) -> bool:
    if seen.kernel is not None and _is_dns(seen.kernel.peer):
        return True
    stack = seen.stack
    return stack is not None and any(
        f.function.rpartition(".")[2] in _LOOKS_UP for f in stack.frames[:3]
    )


def _is_dns(peer: str | None) -> bool:
    return bool(peer) and str(peer).endswith(_DNS_PORTS)


def _support(asking: list[Seen], seen: list[Seen]) -> Support:
    servers = sorted(
        {s.kernel.peer for s in asking if s.kernel and s.kernel.peer and _is_dns(s.kernel.peer)}
    )
    of = f" of {' or '.join(servers)}" if servers else ""
    says = (
        f"{len(asking)} of {len(seen)} observations of busy threads "
        f"({share(len(asking), len(seen))}) wait for a DNS answer{of}"
    )
    return Support(asking[0].evidence, asking[0].layer, says)


def _commands(server: str | None, asking: list[Seen]) -> tuple[str, ...]:
    pid = asking[0].pid if asking else None
    found = [f"cat /proc/{pid}/root/etc/resolv.conf"] if pid else ["cat /etc/resolv.conf"]
    if server:
        enter = f"nsenter -t {pid} -n " if pid else ""
        found.insert(0, f"{enter}dig +tries=1 +time=2 @{server.rpartition(':')[0]} . NS")
    return tuple(found)
