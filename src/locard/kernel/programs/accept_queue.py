"""Connections that wait to be accepted at the target's listening sockets: how long, how many, how many thrown away.

Shows: for each listening TCP socket how long a connection waited from established to accept(2), how long the
  queue was at most against the room in it, what still waits, what was closed before anybody accepted it,
  and how many packets of connections the socket threw away (SYNs and last ACKs, mostly because the queue
  was full; each is sent again, so they are more than the connections that failed).
How: an eBPF program follows each connection from the listening socket that made it to the accept that takes it,
  in whichever process; the queue and the drops are the socket's own counters, looked at twice a second.
Impact: samples. About 1 us for each connection; some 0.05 us for each system call of the machine.
Limits: what waited already when locard came counts in the queue's length only. Unix sockets and listening
  sockets of MPTCP (Go 1.24 and later use them where the kernel has it) are not seen, nor accepts through
  io_uring. Between two looks a queue may have been longer; each arrival looks too.
Source: listen(2), tcp(7); Documentation/networking/snmp_counter.rst (ListenOverflows, ListenDrops).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing
from locard.kernel.programs import _reading
from locard.kernel.programs._sums import Sums
from locard.model.evidence import Output
from locard.model.kernel_facts import Row, Trace
from locard.model.kernel_words import duration
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_PACKETS = "packets of connections: SYNs and last ACKs; each is sent again"
ACCEPTED, WAITS, DROPPED, CLOSED = "accepted", "still waiting", "dropped", "closed before accept"

COMMANDS = (
    _observing.template(
        "accept_queue", "ss -ltn; nstat -az TcpExtListenOverflows", own="kernel/_accept_far.py"
    ),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long."""

    for_s: float = _observing.for_param()


PARAMS = Params
BY_DEFAULT = True


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies_to_programs(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    settings = {"attach": ["state", "accepted"], "rows": {"listening": ""}}
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why the kernel did not take it."""
    return _reading.facts("accept-queue", outputs, _trace)


@dataclass(slots=True)
class _Listener:
    """The sockets that listen at one address, as one."""

    sums: Sums
    sockets: int = 0
    drops: int = 0
    closed: int = 0
    most: int = 0
    waiting: int = 0
    before: int = 0
    room: int = 0
    looks: int = 0
    full: int = 0


def _trace(told: Told) -> Trace:
    by_address: dict[str, _Listener] = {}
    address_of: dict[Any, str] = {}
    for entry in told.map("listeners"):
        try:
            address = str(entry["ends"]["local"])
            mine = by_address.setdefault(address, _Listener(Sums()))
            mine.sums.add(entry["times"])
            mine.sockets += 1
            mine.drops += max(0, entry["drops"] - entry["first_drops"])
            mine.closed += entry["closed"]
            mine.most += entry["most_waiting"]
            mine.waiting += entry["waiting"]
            mine.before += entry["before"]
            mine.room += entry["room"]
            mine.looks += entry["looks"]
            mine.full += entry["full_looks"]
            address_of[entry["key"]] = address
        except (KeyError, TypeError, ValueError):
            continue
    ages = _ages(told, address_of)
    rows = [r for a, mine in sorted(by_address.items()) for r in _rows(a, mine, ages.get(a, []))]
    rows.sort(key=lambda r: (r.result == ACCEPTED, -(r.max_s or 0.0), r.what))
    return Trace("accept-queue", _says(told, by_address, ages), told.observed(), tuple(rows))


def _ages(told: Told, address_of: dict[Any, str]) -> dict[str, list[float]]:
    """How long what still waits has waited, by address."""
    end = told.end.get("end")
    found: dict[str, list[float]] = {}
    for entry in told.map("queued"):
        address = address_of.get(entry.get("listener"))
        if address is not None and isinstance(end, int) and isinstance(entry.get("since"), int):
            found.setdefault(address, []).append(max(0.0, (end - entry["since"]) / 1e9))
    return found


def _rows(address: str, mine: _Listener, ages: list[float]) -> list[Row]:
    words = [_queue(mine)]
    if mine.full:
        words.append(f"full in {mine.full:,} of {count(mine.looks, 'look')}")
    if mine.before:
        words.append(f"{mine.before:,} waited when the observation began")
    if mine.sockets > 1:
        words.append(f"{mine.sockets:,} sockets")
    rows = [
        Row(address, ACCEPTED, count=mine.sums.count, detail=", ".join(words), **mine.sums.fields)
    ]
    if mine.waiting:
        known = sorted(ages)
        rows.append(
            Row(
                address,
                WAITS,
                count=mine.waiting,
                min_s=round(known[0], 6) if known else None,
                p50_s=round(known[len(known) // 2], 6) if known else None,
                max_s=round(known[-1], 6) if known else None,
                detail=f"in the queue at the end, {mine.waiting:,} of {mine.room + mine.sockets:,}",
            )
        )
    if mine.drops:
        rows.append(Row(address, DROPPED, count=mine.drops, errors=mine.drops, detail=_PACKETS))
    if mine.closed:
        rows.append(Row(address, CLOSED, count=mine.closed, errors=mine.closed))
    return rows


def _queue(mine: _Listener) -> str:
    """The kernel takes one more than the backlog that was asked for."""
    return f"queue at most {mine.most:,} of {mine.room + mine.sockets:,}"


def _says(told: Told, by_address: dict[str, _Listener], ages: dict[str, list[float]]) -> str:
    seconds = told.seconds
    if not by_address:
        number = sum("listens_unix" in r for r in told.others)
        said = f"the target listens on no TCP socket that was seen in {seconds:.1f} s"
        if not number:
            return said
        return f"{said}, but on {count(number, 'unix socket')}, which this does not follow"
    parts = []
    ordered = sorted(
        by_address.items(),
        key=lambda item: (-item[1].drops, -(max(ages.get(item[0], [0.0]))), -item[1].sums.max_ns),
    )
    for address, mine in ordered[:2]:
        words = f"{address}: {count(mine.sums.count, 'connection')} accepted"
        half = mine.sums.share_s(0.5)
        if half is not None:
            words += f" after {duration(half)} (p50), {duration(mine.sums.max_ns / 1e9)} (longest)"
        words += f", {_queue(mine)}"
        if mine.waiting:
            words += f", {mine.waiting:,} still waiting"
        if mine.drops:
            words += (
                f", {count(mine.drops, 'packet')} of connections dropped"
                " (SYNs and last ACKs; each is sent again)"
            )
        parts.append(words)
    if len(ordered) > 2:  # noqa: PLR2004 - two are shown
        parts.append(f"{count(len(ordered) - 2, 'more address')}")
    full = sum(int(r.get("full", 0)) for r in told.others if "overflows" in r)
    if full:
        parts.append(f"{count(full, 'overflow')} of accept queues in the network namespace")
    return f"in {seconds:.1f} s " + "; ".join(parts)


_TEXT = """{"began":1000000000,"attached":["state"],"missing":{},"kernel":"6.1","machine":"x86_64"}
{"map":"listeners","key":["key"],"value":["ends","first_drops","drops","waiting","most_waiting","room","before","looks","full_looks","last_look","closed","times"],"rows":[
[7,{"family":2,"protocol":6,"local":"0.0.0.0:8080","far":"0.0.0.0:0"},2,9,5,5,4,0,10,6,1,1,
{"count":3,"total_ns":300000000,"max_ns":200000000,"min_ns":1000000,"slots":{"200":3}}]]}
{"map":"queued","key":["key"],"value":["since","listener"],"rows":[[1,5000000000,7]]}
{"overflows":"net:[1]","full":7,"dropped":7}
{"end":6000000000,"took":5.0,"why":"","hits":4,"cost_s":0.1,"losses":{}}
""".replace("\n[", "[").replace(",\n{", ",{")

SAMPLES = (
    Sample(
        (Output(argv=("python3",), stdout=_TEXT.encode()),),
        (
            "0.0.0.0:8080: 3 connections accepted after",
            "200 ms (longest), queue at most 5 of 5, 5 still waiting, 7 packets of connections dropped",
            "7 overflows of accept queues in the network namespace",
            "result='dropped', thread='', pid=None, tid=None, count=7, errors=7",
            "result='still waiting'",
            "max_s=1.0",
            "full in 6 of 10 looks",
            "result='closed before accept'",
        ),
    ),
    Sample(
        (
            Output(
                argv=("python3",),
                stdout=b'{"began":1}\n{"listens_unix":"/run/app.sock"}\n{"unseen":"what waits at /run/app.sock"}\n'
                b'{"end":5000000001,"took":5.0,"why":"","hits":0,"losses":{}}\n',
            ),
        ),
        ("in 5.0 s, but on 1 unix socket, which this does not follow", "blind=('what waits at"),
    ),
)
