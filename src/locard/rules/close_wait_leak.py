"""Connections that a peer has closed stay open in the target: it leaks them.

Pattern: responses are not read to their end or not closed; each leaves a socket in CLOSE_WAIT, until
  the limit of open files or of a pool is reached.
Evidence: the sockets of the target in CLOSE_WAIT by far end; its open files against their limit.
Against: there are descriptors to spare: then it grows, and hurts later.
Next: list them; the peer names the code that calls it.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from locard.model import semconv
from locard.model.facts import Peers
from locard.model.wording import count, verb
from locard.rules import _facts, _readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.facts import Reading
    from locard.model.finding import Case, Finding


def judge(case: Case) -> Iterator[Finding]:
    """One finding for the far end with most of them."""
    bad = _facts.bad(case, semconv.PROCESS_CLOSE_WAIT)
    if not bad:
        return
    bad.sort(key=lambda item: -item[1].value)
    worst = bad[0][1]
    full = _facts.bad(case, semconv.PROCESS_OPEN_FDS)
    yield _readings.finding(
        "close-wait-leak",
        _title(case, worst),
        bad,
        mechanism=bool(full),
        extra=_readings.supports(full),
        next_commands=tuple(_next(worst.subject)),
    )


def _title(case: Case, worst: Reading) -> str:
    if not worst.subject.startswith("peer "):
        return f"{worst.value:.0f} {worst.subject} hung up and wait to be closed (CLOSE_WAIT)"
    were = verb(worst.value, "was", "were")
    return (
        f"{count(int(worst.value), 'connection')} to {_named(case, worst.subject)} {were} closed by "
        "the other side and not by the target (CLOSE_WAIT)"
    )


def _named(case: Case, subject: str) -> str:
    """`127.0.0.1:9102 (bank, pid 7 on this machine)` for `peer 127.0.0.1:9102`."""
    address = subject.removeprefix("peer ")
    for _, peers in case.facts(Peers):
        peer = peers.named(address)
        if peer is not None:
            return peer.words
    return address


def _next(subject: str) -> Iterator[str]:
    if subject.startswith("peer "):
        yield f"ss -tanp state close-wait dst {shlex.quote(subject.removeprefix('peer '))}"
    else:
        yield f"ss -tanp state close-wait sport = :{subject.rpartition(' ')[2]}"
