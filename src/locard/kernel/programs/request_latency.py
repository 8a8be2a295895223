"""Requests that the target serves over TCP, in parts: time in the socket, in the application, on the network.

Shows: for each address that it serves how long data waited in the socket until a thread took it (socket
  queue), from there until a thread began to write (application), and from the last write of the answer until
  all of it was acknowledged (network); both first together as the whole; requests still without an answer.
How: an eBPF program follows each accepted connection: segments that arrive and acknowledge (tracepoint
  tcp_probe), bytes that a thread takes (tcp_rcv_space_adjust), the system calls that write.
Impact: samples. About 1 us for each segment and 0.3 us for each write of the target; it detaches by itself
  past --max-overhead.
Limits: a request is what arrives on a connection that is idle or answered: of requests sent before the answer
  to the one before (pipelining, HTTP/2, gRPC) only the first of a row is timed; of TLS the handshake counts as
  requests. A client's delayed acknowledgement (up to 40 ms) is network time. Answers that are not written by a
  thread's system call (io_uring, another process than the target's) are not seen, and it says so. What waits
  in front of the socket (the accept queue, a proxy) is not in it: see accept-queue.
Source: tcp(7); Gregg, "Systems Performance", ch. 10 (time to first byte).
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

WHOLE, SOCKET, APPLICATION, NETWORK = "whole", "socket queue", "application", "network"
_PARTS = {"whole": WHOLE, "socket": SOCKET, "application": APPLICATION, "network": NETWORK}
_MEANS = {
    WHOLE: "data arrived -> first byte of the answer written",
    SOCKET: "data arrived -> a thread took it",
    APPLICATION: "a thread took it -> first byte of the answer written",
    NETWORK: "last write of the answer -> all of it acknowledged",
}
# States of a connection when the observation ended: what it waits for, since when.
_ARRIVED, _READ, _WRITTEN = 1, 2, 3
_WAITS = {
    _ARRIVED: ("not taken yet", "arrived"),
    _READ: ("no answer yet", "read"),
    _WRITTEN: ("not acknowledged yet", "written"),
}
_EACH_NS = 500.0

COMMANDS = (
    _observing.template(
        "request_latency", "strace -f -r -e trace=network,read,write -p {pid}; ss -tino",
        own="kernel/_tcp_sockets_far.py",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Params:
    """For how long, and what it may cost."""

    for_s: float = _observing.for_param()
    max_overhead: float = _observing.overhead_param()


PARAMS = Params


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies_to_programs(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    settings = {
        "attach": ["state", "segment", "taken", "begin", "end"],
        "looks": ["listeners", "accepted"],
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why the kernel did not take it."""
    return _reading.facts("request-latency", outputs, _trace)


def _trace(told: Told) -> Trace:
    served: dict[str, dict[str, Sums]] = {}
    for entry in told.map("served"):
        try:
            mine = served.setdefault(_address(entry), {part: Sums() for part in _PARTS})
            for part in _PARTS:
                mine[part].add(entry[part])
        except (KeyError, TypeError):
            continue
    waiting = _waiting(told, served)
    rows = [
        Row(address, _PARTS[part], count=sums.count, detail=_MEANS[_PARTS[part]], **sums.fields)
        for address, mine in sorted(served.items(), key=lambda item: -item[1]["whole"].total_ns)
        for part, sums in mine.items()
    ]
    return Trace(
        "request-latency",
        _says(told.seconds, served, waiting),
        told.observed(each_ns=_EACH_NS),
        (*rows, *waiting),
    )


def _address(entry: dict[str, Any]) -> str:
    """Of the map's key, whose fields stand by themselves, or of a connection."""
    return str(entry["ends"]["local"] if "ends" in entry else entry["local"])


def _waiting(told: Told, served: dict[str, dict[str, Sums]]) -> list[Row]:
    """Connections that wait for something at the end; answers that were acknowledged count."""
    end = told.end.get("end")
    ages: dict[tuple[str, int], list[float]] = {}
    for entry in told.map("connections"):
        try:
            address, state = _address(entry), int(entry["state"])
            if state == _WRITTEN and entry["acked"] and address in served:
                served[address]["network"].add_one(max(0, entry["acked"] - entry["written"]))
            elif state in _WAITS and isinstance(end, int) and entry["end"] | (state != _WRITTEN):
                since = entry[_WAITS[state][1]]
                ages.setdefault((address, state), []).append(max(0.0, (end - since) / 1e9))
        except (KeyError, TypeError, ValueError):
            continue
    rows = []
    for (address, state), every in sorted(ages.items()):
        every.sort()
        rows.append(
            Row(
                address,
                _WAITS[state][0],
                count=len(every),
                min_s=round(every[0], 6),
                p50_s=round(every[len(every) // 2], 6),
                max_s=round(every[-1], 6),
                detail="when the observation ended",
            )
        )
    return rows


def _says(seconds: float, served: dict[str, dict[str, Sums]], waiting: list[Row]) -> str:
    if not served and not waiting:
        return f"no request arrived over TCP in {seconds:.1f} s"
    parts = []
    for address, mine in sorted(served.items(), key=lambda item: -item[1]["whole"].total_ns)[:2]:
        half = {part: sums.share_s(0.5) for part, sums in mine.items()}
        taken, answered = mine["socket"].count, mine["application"].count
        if not answered:
            parts.append(
                f"{count(taken, 'request')} at {address}, no answer to them was seen: "
                "none is written by a system call of the target, or none is ready"
            )
            continue
        words = (
            f"{count(answered, 'request')} answered at {address}, p50 {duration(half['whole'])} to the first byte: "
            f"{duration(half['socket'])} in the socket, {duration(half['application'])} in the application"
        )
        if half["network"] is not None:
            words += f"; then {duration(half['network'])} on the network"
        parts.append(words)
    parts += [f"{r.count:,} {r.result}, the longest for {duration(r.max_s)}" for r in waiting[:2]]
    return f"in {seconds:.1f} s " + "; ".join(parts)


_TIMES = '{"count":%d,"total_ns":%d,"max_ns":%d,"min_ns":%d,"slots":{"%d":%d}}'
_NONE = _TIMES % (0, 0, 0, 2**64 - 1, 0, 0)
_TEXT = (
    '{"began":1000000000,"attached":["state"],"missing":{},"kernel":"6.1","machine":"x86_64"}\n'
    '{"map":"served","key":["family","protocol","local","far"],"value":["whole","socket","application","network"],'
    '"rows":[[2,6,"10.0.0.1:8080","0.0.0.0:0",'
    + ",".join(
        (
            _TIMES % (2, 24_000_000, 12_500_000, 11_500_000, 172, 2),
            _TIMES % (2, 200_000, 120_000, 80_000, 117, 2),
            _TIMES % (2, 23_800_000, 12_400_000, 11_400_000, 172, 2),
            _NONE,
        )
    )
    + "]]}\n"
    '{"map":"connections","key":["key"],"value":["arrived","read","written","acked","last_ack_at","state","end",'
    '"last_ack","pad","ends"],"rows":[[1,0,0,5000000000,5000300000,0,3,9,9,0,{"local":"10.0.0.1:8080"}],'
    '[2,4000000000,4000000000,0,0,0,2,0,0,0,{"local":"10.0.0.1:8080"}]]}\n'
    '{"end":6000000000,"took":5.0,"why":"","hits":3,"cost_s":0.1,"losses":{}}\n'
)

SAMPLES = (
    Sample(
        (Output(argv=("python3",), stdout=_TEXT.encode()),),
        (
            "2 requests answered at 10.0.0.1:8080, p50 12",
            "in the application; then 30",
            "what='10.0.0.1:8080', result='socket queue'",
            "what='10.0.0.1:8080', result='network', thread='', pid=None, tid=None, count=1",
            "1 no answer yet, the longest for 2.00 s",
        ),
    ),
)
