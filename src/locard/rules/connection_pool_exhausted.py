"""A pool of connections is used up: requests wait for one that nobody gives back in time.

Pattern: a pool has a fixed size; connections that are held for long, or never returned, leave none
  for the others, which wait and then fail. The server at the far end is idle.
Evidence: messages in the words of the pool; busy threads that wait inside the pool's checkout; the pool's own
  count of what is in use, its limit and who has one in their stacks, read in the memory of the process;
  sessions of the database that are idle in a transaction.
Against: only waiting threads, no message: they may get their connection late, but they get it.
Next: see who holds the connections: the stacks, and the sessions at the far end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locard.model.evidence import Layer
from locard.model.finding import Finding, Role, Severity, Support
from locard.model.headline import share
from locard.model.history_words import amount, signal_words
from locard.model.stacks import waits_directly
from locard.model.wording import count, verb
from locard.rules import _contention, _history, _said, _things, _waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locard.model.evidence import Evidence
    from locard.model.finding import Case
    from locard.model.metric_facts import MetricHistory
    from locard.rules._things import Used
    from locard.rules._waits import Seen

_MESSAGE = re.compile(
    r"QueuePool limit|connection pool (is )?(exhausted|full|timeout)|pool (is )?exhausted|PoolTimeout"
    r"|Connection is not available, request timed out|couldn't get a connection after"
    r"|Too many connections|remaining connection slots|sorry, too many clients|no more connections"
    r"|Timeout waiting for (connection|idle object)|ConnectionPoolTimeout|No available connection"
    r"|unable to (acquire|get|obtain) .{0,30}connection|timed out (acquiring|getting) .{0,20}connection"
    r"|ResourcePool|max_?client_?conn|all connections? (are|is) in use|MaxClientsInSessionMode",
    re.IGNORECASE,
)
# Where a thread waits for a connection of a pool: (part of the file, functions).
_CHECKOUT = (
    ("sqlalchemy/pool/", {"_do_get", "_checkout", "connect", "checkout"}),
    ("sqlalchemy/util/queue.py", {"get"}),
    ("psycopg_pool/", {"getconn", "wait"}),
    ("psycopg2/pool.py", {"getconn"}),
    ("redis/connection.py", {"get_connection"}),
    ("urllib3/connectionpool.py", {"_get_conn"}),
    ("httpcore/", {"wait_for_connection", "_wait_for_connection"}),
    ("asyncpg/pool.py", {"_acquire", "acquire"}),
    ("pymongo/pool.py", {"_get_conn", "_get_socket", "get_socket", "checkout"}),
    ("dbutils/", {"connection", "steady_connection"}),
)  # fmt: skip
# Names below which an empty queue is taken for a pool that is used up.
_POOL_NAME = re.compile(r"pool|conn(?!ectionless)|checkout|acquire", re.IGNORECASE)
_LEAST_SHARE = 0.3  # of the busy observations
_DEEP = 8  # frames in which the checkout stands


def judge(case: Case) -> Iterator[Finding]:
    """One finding if requests fail or wait for want of a connection."""
    yield from _history.joined(_elsewhere(case), _from_history(case))


def _elsewhere(case: Case) -> Iterator[Finding]:
    """What the other layers say of it."""
    said = next(_said.growing(case, _MESSAGE), None)
    used = _things.used_up(case, "pool") or _things.empty_queues(case, _POOL_NAME)
    seen = _waits.busy(case)
    waiting = [s for s in seen if _checks_out(s)]
    enough = len(waiting) >= _waits.LEAST and len(waiting) >= _LEAST_SHARE * len(seen)
    trouble = _waits.trouble(case)
    if said is None and not used and not (enough and trouble):
        return
    supports = [said.support] if said else list(trouble[:1])
    if used:
        supports += [*used[0].supports(), *_others(used)]
    elif waiting:
        says = (
            f"{len(waiting)} of {len(seen)} observations of busy threads "
            f"({share(len(waiting), len(seen))}) wait for a connection of the pool{_where(waiting)}"
        )
        supports.append(Support(waiting[0].evidence, waiting[0].layer, says))
    supports += list(_idle_in_transaction(case))
    against = []
    if said is None and not used:
        says = "no message says that a connection could not be had"
        against.append(Support(supports[0].evidence, Layer.LOGS, says))
    if used and used[0].last.kind == "queue":
        says = "that the queue holds connections is told by the names in the code only"
        against.append(Support(used[0].evidence, Layer.RUNTIME, says))
    place = used[0].place if used else None
    yield Finding(
        rule="connection-pool-exhausted",
        layer=supports[0].layer,
        role=Role.MECHANISM,
        severity=Severity.CRITICAL if said or trouble else Severity.WARNING,
        title=_title(used, place[0] if place else ""),
        detail="; ".join(s.says for s in supports),
        supports=tuple(supports),
        against=tuple(against),
        explains=said.explains if said else None,
        values=_contention.code(place[1]) if place else (),
        next_commands=_commands(used, waiting, said),
    )


def _title(used: list[Used], place: str) -> str:
    if not used:
        return "Requests wait for a connection of a pool that is used up"
    where = f", in {place}" if place else ""
    return f"Requests wait for a connection of a pool that is used up: {used[0].called}, {used[0].amount}{where}"


def _others(used: list[Used]) -> Iterator[Support]:
    """Further pools, mostly the same in other workers."""
    if len(used) > 1:
        words = ", ".join(f"{u.called} of pid {u.last.pid} ({u.amount})" for u in used[1:4])
        says = f"used up as well: {words}"
        yield Support(used[0].evidence, Layer.RUNTIME, says)


def _checks_out(seen: Seen) -> bool:
    """It waits in the checkout itself, and the kernel knows of no peer or sleep that it waits for."""
    if seen.stack is None or not waits_directly(seen.stack, _CHECKOUT):
        return False
    kernel = seen.kernel
    return kernel is None or (kernel.peer is None and (kernel.syscall or "").startswith("futex"))


def _where(waiting: list[Seen]) -> str:
    """The library whose pool it is."""
    for seen in waiting:
        for frame in seen.stack.frames[:_DEEP] if seen.stack else ():
            for part, _ in _CHECKOUT:
                if part in frame.file:
                    return f" ({part.strip('/').split('/')[0]})"
    return ""


def _idle_in_transaction(case: Case) -> Iterator[Support]:
    for evidence, peer in _waits.peers(case):
        held = sum(
            s.count for s in peer.sessions if s.title.startswith("idle in transaction") and s.ours
        )
        if held:
            are = verb(held, "is", "are")
            sessions = count(held, "session")
            says = f"{sessions} of the target at {peer.words} {are} idle in a transaction"
            yield Support(evidence, Layer.KERNEL, says)


def _commands(used: list[Used], waiting: list[Seen], said: _said.Saying | None) -> tuple[str, ...]:
    pid = used[0].last.pid if used else waiting[0].pid if waiting else None
    found = [f"locard stacks pid/{pid}"] if pid is not None else []
    return (*found, *(said.commands if said else ()))


_LEAST_WAITING = 5.0  # callers, where the size of the pool is not known


def _of_unknown_size(evidence: Evidence, found: MetricHistory) -> Iterator[Finding]:
    """Callers that begin to wait for a pool whose size no series tells, while users are hit."""
    if not _history.harm(evidence, found):
        return
    for waits in _history.risen(found, "pool waiting"):
        known = any(
            s.resource == "pool" and _history.same_thing(s.subject, waits.subject)
            for s in found.signals
        )
        if known or (waits.after or 0.0) < _LEAST_WAITING or waits.unit.endswith("/s"):
            continue
        yield _history.finding(
            "connection-pool-exhausted", evidence, found,
            f"Callers wait for a connection: {amount(waits.after, waits.unit)} of {_history.name_of(waits)}",
            [signal_words(waits)], against=["the size of the pool is told by no series"], values=waits.subject,
        )  # fmt: skip


def _from_history(case: Case) -> Iterator[Finding]:
    """A pool that reached its size while callers wait or give up: a full pool alone is none."""
    for evidence, found in _history.histories(case):
        yield from _of_unknown_size(evidence, found)
        for full in _history.risen(found, "pool"):
            waits = [
                s for s in _history.risen(found, "pool waiting", "pool timeouts")
                if _history.same_thing(s.subject, full.subject)
            ]  # fmt: skip
            if (_history.share_of(full) or 0.0) < _history.FULL or not waits:
                continue
            held = [
                s
                for s in _history.risen(found, "pool hold")
                if _history.same_thing(s.subject, full.subject)
            ]
            title = (
                f"Requests wait for a connection of a pool that is used up: {_history.name_of(full)}, "
                f"{amount(full.after, '')} of {amount(full.limit, '')}"
            )
            supports = [signal_words(full), *(signal_words(s) for s in waits[:2])]
            if held and full.onset is not None and held[0].onset is not None:
                before = full.onset.latest - held[0].onset.latest
                title += (
                    f", because connections are held {amount(held[0].after, 's')} where they were held "
                    f"{amount(held[0].before, 's')}"
                )
                first = f", {before:.0f} s before the pool was full" if before > 0 else ""
                supports.append(
                    f"{signal_words(held[0])}{first}: what is behind the connection got slower"
                )
            yield _history.finding(
                "connection-pool-exhausted", evidence, found, title, supports, values=full.subject
            )
