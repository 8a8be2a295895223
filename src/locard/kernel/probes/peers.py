"""Who the far ends of the target's connections are, and what they do if they run here.

Shows: each far end of the target's outgoing sockets with its connections by state (established,
  without an answer yet, hung up by the peer), the process of this machine that listens there, in
  the target's network namespace, or what usually listens on that port; what that process and its
  children do, and what they say of themselves in their titles, as PostgreSQL does ("SELECT
  waiting", "idle in transaction").
How: a reader of locard's own goes to python3 on standard input and reads /proc/PID/{fd,net} of the
  target, /proc/*/fd for who listens, and /proc/PID/{stat,cmdline,syscall,wchan} of those servers,
  twice within 0.3 s.
Impact: reads. One listing of descriptors for each process of the same network namespace, at most
  1.5 s in all.
Limits: a peer on another machine is an address. A server behind a proxy, a NAT or a published
  container port is not seen. A title is what the server wrote into it last. At most 64 far ends.
Source: proc(5); PostgreSQL documentation, "Standard Unix Tools" (the titles); RFC 6335 and IANA's
  register for ports.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from locard.guard import needs
from locard.guard.command import Impact, Template
from locard.model import ports, thread_records
from locard.model.evidence import Output, Scope
from locard.model.facts import Peer, Peers, ServerSession
from locard.model.target import Context, Skip
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.probe import Step

COMMANDS = (
    Template(
        argv=("python3", "-I", "-S", "-", "{pid:pid*}"),
        impact=Impact.READS,
        bound_s=6.0,
        by_hand="for p in {pid}; do ls -l /proc/$p/fd; done | grep socket; ss -tunap",
        max_bytes=8 << 20,
        program="kernel/_peers.py",
        needs=(needs.PYTHON,),
        output="json",
    ),
)

# `postgres: shop: user db 127.0.0.1(52034) SELECT waiting`, the cluster's name being optional.
_SESSION = re.compile(
    r"^postgres: (?:.*: )?\S+ \S+ (?P<from>\S+\((?P<port>\d+)\)|\[local\]) (?P<does>.+)$"
)
_SLEEPS = {"S", "I"}


def applies(context: Context) -> Skip | None:
    """It takes processes whose sockets are looked at."""
    if not context.target.pids:
        return Skip("the target has no processes", "name one: pid/PID or proc/NAME")
    return None


def scope(context: Context) -> Scope:
    """The target's processes, and the servers on this machine that they are connected to."""
    return Scope(pids=context.target.pids, note="and the servers here that it is connected to")


def plan(context: Context) -> Generator[Step, Output, None]:
    """One run of the reader for all processes."""
    yield COMMANDS[0].fill(pid=context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Peers."""
    facts = []
    for output in outputs:
        records = list(thread_records.records(output.text))
        target = {int(a) for a in output.argv if a.isdigit()}
        missed = [str(r["missed"]) for r in records if "missed" in r]
        if output.problem:
            missed.append(output.problem)
        found = tuple(_peers(records, target))
        titles = _sessions([r for r in records if r.get("of") == _root(output)], ())
        if records or missed:
            facts.append(Peers(found, titles, tuple(missed)))
    return tuple(facts)


def _root(output: Output) -> int:
    """The first process that was asked for: the target's root."""
    return next((int(a) for a in output.argv if a.isdigit()), 0)


def _peers(records: list[dict[str, Any]], target: set[int]) -> Iterator[Peer]:
    servers = {r["address"]: r for r in records if "server" in r and "address" in r}
    end = next((r for r in records if "end" in r), {})
    for record in records:
        try:
            states = {str(k): int(v) for k, v in record["states"].items()}
            far, protocol = str(record["peer"]), str(record["protocol"])
            pids = tuple(int(p) for p in record["pids"])
            local = {str(p) for p in record["locals"]}
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        server = servers.get(far, {})
        pid, comm, exe = server.get("server"), server.get("name"), server.get("exe")
        known = isinstance(pid, int) and isinstance(comm, str)
        name = ports.program(str(comm), exe) if known else ""
        own = known and pid in target
        family = [r for r in records if known and r.get("of") == pid]
        yield Peer(
            address=far,
            protocol=protocol,
            service=None if own else ports.service(far, protocol, name if known else None),
            pid=pid if known else None,
            process=name if known else None,
            own=own,
            pids=pids,
            established=states.get("ESTABLISHED", 0),
            connecting=states.get("SYN_SENT", 0),
            close_wait=states.get("CLOSE_WAIT", 0),
            sessions=_sessions(family, local),
            doing=_doing(family),
            cpu=_cpu(family, end.get("ticks_per_s")),
        )


def _sessions(family: list[dict[str, Any]], local: Iterable[str]) -> tuple[ServerSession, ...]:
    """The titles of a server's processes in their last reading, those of our connections apart."""
    last = {
        r["process"]: str(r.get("title", ""))
        for r in family
        if "process" in r and ports.program("postgres", r.get("exe")) == "postgres"
    }
    counts: Counter[tuple[str, bool]] = Counter()
    for title in last.values():
        found = _SESSION.match(title)
        if found:
            counts[found["does"].strip(), found["port"] in set(local)] += 1
    return tuple(ServerSession(does, ours, n) for (does, ours), n in counts.most_common())


def _doing(family: list[dict[str, Any]]) -> tuple[tuple[str, int], ...]:
    """How many observations of a server's processes found them running, asleep or at a disk."""
    words = Counter(
        {"R": "runs", "D": "waits for the disk", "T": "is stopped", "t": "is traced"}.get(
            str(r.get("state")), "sleeps" if r.get("state") in _SLEEPS else "ended"
        )
        for r in family
        if "state" in r
    )
    return tuple(words.most_common())


def _cpu(family: list[dict[str, Any]], ticks_per_s: object) -> float | None:
    """CPUs' worth of time that a server's processes used between the two readings."""
    if not isinstance(ticks_per_s, int) or ticks_per_s <= 0:
        return None
    used = seconds = 0.0
    try:
        for pid in dict.fromkeys(r["process"] for r in family):
            seen = [r for r in family if r["process"] == pid]
            if len(seen) > 1:
                used += (seen[-1]["ticks"] - seen[0]["ticks"]) / ticks_per_s
                seconds = max(seconds, seen[-1]["at"] - seen[0]["at"])
    except (KeyError, TypeError):
        return None
    return round(max(0.0, used) / seconds, 2) if seconds > 0 else None


_TEXT = """{"peer": "127.0.0.1:5433", "protocol": "tcp", "states": {"ESTABLISHED": 3}, "pids": [7],
 "locals": ["40001", "40002", "40003"]}
{"peer": "127.0.0.11:53", "protocol": "udp", "states": {"ESTABLISHED": 1}, "pids": [7], "locals": ["5"]}
{"peer": "10.0.0.9:6379", "protocol": "tcp", "states": {"SYN_SENT": 2}, "pids": [7], "locals": ["6"]}
{"server": 20, "address": "127.0.0.1:5433", "name": "postgres", "exe": "postgres"}
{"process": 20, "of": 20, "title": "/usr/bin/postgres -D /x", "state": "S", "ticks": 5, "at": 1.0}
{"process": 21, "of": 20, "title": "postgres: shop db 127.0.0.1(40001) SELECT waiting", "state": "S", "ticks": 5, "at": 1.0}
{"process": 22, "of": 20, "title": "postgres: ana db 127.0.0.1(9) idle in transaction", "state": "S", "ticks": 5, "at": 1.0}
{"process": 21, "of": 20, "title": "postgres: shop db 127.0.0.1(40001) SELECT waiting", "state": "R", "ticks": 35, "at": 1.3}
{"end": 1, "ticks_per_s": 100}
""".replace(",\n ", ", ")

SAMPLES = (
    Sample(
        (Output(argv=("python3", "-", "7"), stdout=_TEXT.encode()),),
        (
            "address='127.0.0.1:5433', protocol='tcp', service='PostgreSQL', pid=20",
            "established=3, connecting=0",
            "title='SELECT waiting', ours=True, count=1",
            "title='idle in transaction', ours=False, count=1",
            "cpu=1.0",
            "address='127.0.0.11:53', protocol='udp', service='DNS', pid=None",
            "service='Redis', pid=None, process=None, own=False, pids=(7,)",
            "established=0, connecting=2",
        ),
    ),
    Sample(
        (
            Output(
                argv=("python3", "-", "7"),
                stdout=_TEXT.replace('"exe": "postgres"', '"exe": "python3.11"').encode(),
            ),
        ),
        ("address='127.0.0.1:5433', protocol='tcp', service=None, pid=20, process='python3.11'",),
    ),
    Sample((Output(argv=("python3", "-", "7"), stdout=b'{"peer": "1'),), ("()",)),
)
