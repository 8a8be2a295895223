"""TCP segments of the target that were sent again, by peer, against all that it sent there.

Shows: for each peer (v4, v6, v4-mapped as v4) the segments that were sent again, of how many, by timeout, as
  loss probes, answers to connects sent again, and the bytes; peers without any stand there with 0. Where the
  receiver's window was full: for which share of the time there was something to send.
How: an eBPF program marks the target's sockets (open ones at the beginning, then each that connects or
  listens; an accepted one inherits the mark) and reads the kernel's own counters of each as differences, at
  each retransmit and at the end. Whoever runs when a timer fires plays no part.
Impact: samples. About 1 us for each retransmit or change of state of the target's connections.
Limits: counted in segments as the kernel counts them; with segmentation offload one packet handed down, and
  so one event of the tracepoint, may hold several. A segment sent again is no proof of loss: the answer may
  have been late or lost. A loss probe is one that the kernel sends to find out: few of them mean nothing.
  Accepted connections are summed by the client's host. Sockets passed to the target meanwhile are not seen.
Source: RFC 6298, RFC 8985 (tail loss probes); tcp(7), TCP_INFO; iovisor/bcc tcpretrans.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, engines
from locard.kernel.engines import bcc
from locard.kernel.programs import _reading
from locard.model.evidence import Output
from locard.model.kernel_facts import Row, Trace
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

AGAIN, NONE = "sent again", "none sent again"
_SHOWN = 3
_NARROW = 0.2  # of the time with something to send: the receiver's window is worth a word
# As _detail writes it: 77 of 1,250 segments, then the share.
_RATE = re.compile(r"(?P<again>[0-9,]+) of (?P<segments>[0-9,]+) segments?")
_PROBES = re.compile(r"(?P<n>[0-9,]+) as loss probes?")

COMMANDS = (
    _observing.template(
        "tcp_retransmits", "tcpretrans-bpfcc; ss -tino", own="kernel/_tcp_sockets_far.py"
    ),
    *bcc.commands("tcp-retransmits"),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long."""

    for_s: float = _observing.for_param()
    engine: str = engines.engine_param(bcc.ENGINE)


PARAMS = Params
check = engines.check
BY_DEFAULT = True


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    if asked.engine != engines.EBPF:
        yield from bcc.TOOLS["tcp-retransmits"].plan(context, asked.for_s)
        return
    settings = {
        "attach": ["state", "destroyed", "again", "synack"],
        "rows": {"finish": ""},
        "looks": ["listeners", "connections"],
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why the kernel did not take it."""
    return _reading.facts("tcp-retransmits", outputs, _trace)


def _trace(told: Told) -> Trace:
    rows = tuple(_rows(told))
    return Trace("tcp-retransmits", _says(rows, told.seconds), told.observed(), rows)


def rate(row: Row) -> tuple[int, int]:
    """(sent again, sent) of a row, in segments."""
    found = _RATE.search(row.detail)
    if found is None:
        return row.count, 0
    return tuple(int(found[name].replace(",", "")) for name in ("again", "segments"))  # type: ignore[return-value] # two


def _rows(told: Told) -> list[Row]:
    every: dict[str, dict[str, int]] = {}
    for entry in told.map("peers"):
        try:
            peer = _peer(entry)
            numbers = {k: v for k, v in entry.items() if isinstance(v, int) and k != "accepted"}
        except (KeyError, TypeError, AttributeError):
            continue
        sums = every.setdefault(peer, dict.fromkeys(numbers, 0))
        for name, value in numbers.items():
            sums[name] = sums.get(name, 0) + value
    rows = [
        Row(
            peer,
            AGAIN if sums.get("again") or sums.get("synacks") else NONE,
            count=sums.get("again", 0),
            bytes=sums.get("bytes", 0),
            detail=_detail(sums),
        )
        for peer, sums in every.items()
        if sums.get("segments") or sums.get("again") or sums.get("synacks")
    ]
    return sorted(rows, key=lambda r: (-r.count, r.what))


def _peer(entry: dict[str, Any]) -> str:
    far, local = str(entry["ends"]["far"]), str(entry["ends"]["local"])
    if not entry["accepted"]:
        return far
    return f"{far.rpartition(':')[0]} to port {local.rpartition(':')[2]}"


def _detail(sums: dict[str, int]) -> str:
    again, segments = sums.get("again", 0), sums.get("segments", 0)
    share = f" ({again / segments:.1%})" if again and segments else ""
    words = [f"{again:,} of {count(segments, 'segment')}{share.replace('%', ' %')}"]
    if not segments and again:
        words = [f"{again:,} before any data was sent"]
    words += [
        f"{sums[name]:,} {what}"
        for name, what in (
            ("timeouts", "by timeout"),
            ("probes", "as loss probe" if sums.get("probes") == 1 else "as loss probes"),
        )
        if sums.get(name)
    ]
    if sums.get("synacks"):
        words.append(f"{count(sums['synacks'], 'answer')} to connects sent again")
    if sums.get("busy") and sums.get("narrow", 0) >= _NARROW * sums["busy"]:
        words.append(
            f"the receiver's window was full {sums['narrow'] / sums['busy']:.0%} of the time".replace(
                "%", " %"
            )
        )
    if sums.get("closed_windows"):
        words.append("it was full at the end")
    return ", ".join(words)


def _says(rows: Sequence[Row], seconds: float) -> str:
    if not rows:
        return f"no segment with data was sent in {seconds:.1f} s, and none again"
    segments = sum(rate(r)[1] for r in rows)
    again = sum(r.count for r in rows)
    far = count(len(rows), "peer")
    if not again:
        words = f"no segment was sent again in {seconds:.1f} s, of {segments:,} to {far}"
    else:
        named = [f"{r.what} {r.detail.split(', ')[0]}" for r in rows if r.count]
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        words = (
            f"{again:,} of {count(segments, 'segment')} to {far} sent again in {seconds:.1f} s: "
            f"{'; '.join(named[:_SHOWN])}{more}"
        )
    probes = sum(int(m["n"].replace(",", "")) for r in rows if (m := _PROBES.search(r.detail)))
    if again and probes == again:
        words += "; all of them only to find out, as loss probes"
    slow = [r.what for r in rows if "window was full" in r.detail]
    if slow:
        words += f"; the receiver's window was full: {', '.join(slow[:_SHOWN])}"
    return words


_TEXT = """{"began":1000000000,"attached":["state"],"missing":{},"kernel":"6.1","machine":"x86_64"}
{"map":"peers","key":["ends","accepted"],"value":["segments","bytes","again","probes","timeouts","synacks","busy","narrow","sockets","closed_windows"],"rows":[
[{"family":10,"protocol":6,"local":"[::]:0","far":"[fd00::2]:443"},0,1250,1810000,77,1,5,0,900,0,1,0],
[{"family":2,"protocol":6,"local":"0.0.0.0:0","far":"127.0.0.3:80"},0,2000,800000,0,0,0,0,900,810,1,1],
[{"family":2,"protocol":6,"local":"0.0.0.0:8080","far":"10.0.0.9:0"},1,10,800,0,0,0,2,0,0,1,0]]}
{"end":6000000000,"took":5.0,"why":"","hits":77,"cost_s":0.1,"losses":{}}
""".replace("\n[", "[")

SAMPLES = (
    Sample(
        (Output(argv=("python3",), stdout=_TEXT.encode()),),
        (
            "77 of 3,260 segments to 3 peers sent again in 5.0 s: [fd00::2]:443 77 of 1,250 segments (6.2 %);",
            "what='[fd00::2]:443', result='sent again'",
            "count=77",
            "5 by timeout, 1 as loss probe",
            "what='127.0.0.3:80', result='none sent again'",
            "0 of 2,000 segments, the receiver's window was full 90 % of the time, it was full at the end",
            "what='10.0.0.9 to port 8080', result='sent again'",
            "2 answers to connects sent again",
        ),
    ),
)
