"""TCP connects of the target: how many to each peer, ok, refused, timed out or unreachable, and by which thread.

Shows: for each peer how many connects, what came of them (ok; refused; timed out; unreachable; "gave up"
  where the target closed the socket before an answer; "no answer" where it still waits), median and longest
  time of those that succeeded. By thread: the same; in -o json each attempt, when it began, its local end.
How: as tcp-connect-latency, whose eBPF program it is; here each attempt is told by itself as well.
Impact: samples. Some 0.1 us for each system call of the machine while it is attached; a connect costs 2 us.
Limits: a connect that had begun before locard attached is not counted. The time ends when the kernel has the
  answer, not when the program looks. Which server stands behind a proxy or a NAT is not seen.
Source: connect(2), tcp(7); iovisor/bcc tcpconnect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from locard.kernel import _observing, engines
from locard.kernel.engines import bcc
from locard.kernel.programs import _connects, _reading
from locard.model import params
from locard.model.evidence import Output
from locard.model.kernel_facts import Trace
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

COMMANDS = (
    _observing.template("tcp_connect_latency", "tcpconnect-bpfcc -p {pid}"),
    *bcc.commands("tcp-connect"),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long, and to which port."""

    for_s: float = _observing.for_param()
    port: int = params.param(0, "only connects to this port; 0: all", least=0, most=65535)
    engine: str = engines.engine_param(bcc.ENGINE)


PARAMS = Params
check = engines.check


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    if asked.engine != engines.EBPF:
        yield from bcc.TOOLS["tcp-connect"].plan(context, asked.for_s)
        return
    settings = _connects.settings(asked.port, each=True)
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why the kernel did not take it."""
    return _reading.facts("tcp-connect", outputs, _trace)


def _trace(told: Told) -> Trace:
    each = tuple(_connects.attempts(told))
    says = _connects.listing(each, told.seconds)
    rows = _connects.by_peer(_connects.peers(told))
    return Trace("tcp-connect", says, told.observed(), rows, threads=each)


_TEXT = """{"began":1000000000,"attached":["state"],"missing":{},"kernel":"6.1","machine":"x86_64"}
{"thread":5,"pid":5,"comm":"worker","nstid":1}
{"event":"each","began":1500000000,"took_ns":2000000,"tid":5,"tgid":5,"error":111,"retransmits":0,"ends":{"family":2,"protocol":6,"local":"10.0.0.1:40001","far":"10.0.0.7:5432"}}
{"end":6000000000,"took":5.0,"why":"","hits":4,"cost_s":0.1,"losses":{}}
"""

SAMPLES = (
    Sample(
        (Output(argv=("python3",), stdout=_TEXT.encode()),),
        (
            "1 TCP connect in 5.0 s by 1 thread, most to 10.0.0.7:5432 (1), 1 without success",
            "what='10.0.0.7:5432', result='ECONNREFUSED', thread='worker (tid 1 inside)', pid=5, tid=5",
            "detail='at 0.500 s, from 10.0.0.1:40001'",
        ),
    ),
    Sample(
        (
            Output(
                argv=("python3",),
                stdout=b'{"refused":"loading the program","errno":1,"why":"not permitted","said":""}',
            ),
        ),
        ("NotObserved(program='tcp-connect'", "CAP_BPF"),
    ),
)
