"""TCP connects of the target by peer: how many, what came of them, how long each took.

Shows: for each peer and result how many connects, the least, median and longest time from connect(2) to
  the answer, SYNs that were sent again. Results: ok, an errno's name (ECONNREFUSED, ETIMEDOUT, ENETUNREACH),
  "gave up" where the target closed the socket before an answer, "no answer yet" where it still waits.
How: an eBPF program follows each socket from SYN_SENT to its next state; what fails before a state changes
  is taken from connect's own result. EINPROGRESS of a non-blocking connect is no result.
Impact: samples. Some 0.1 us for each system call of the machine while it is attached; a connect costs 2 us.
Limits: a connect that had begun before locard attached is not counted. The time ends when the kernel has the
  answer, not when the program looks. Which server stands behind a proxy or a NAT is not seen.
Source: connect(2), tcp(7); iovisor/bcc tcpconnlat, which shows only those that were answered.
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
    _observing.template("tcp_connect_latency", "tcpconnlat-bpfcc -p {pid}"),
    *bcc.commands("tcp-connect-latency"),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long, and to which port."""

    for_s: float = _observing.for_param()
    port: int = params.param(0, "only connects to this port; 0: all", least=0, most=65535)
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
        yield from bcc.TOOLS["tcp-connect-latency"].plan(context, asked.for_s)
        return
    settings = _connects.settings(asked.port, each=False)
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why the kernel did not take it."""
    return _reading.facts("tcp-connect-latency", outputs, _trace)


def _trace(told: Told) -> Trace:
    rows = tuple(_connects.peers(told))
    says = _connects.says(rows, told.seconds)
    return Trace("tcp-connect-latency", says, told.observed(), rows)


_ENDS = '{"family":2,"protocol":6,"local":"0.0.0.0:0","far":"%s"}'
_TEXT = """{"began":1000000000,"attached":["state"],"missing":{},"kernel":"6.1","machine":"x86_64"}
{"map":"peers","key":["ends","error"],"value":["times","retransmits"],"rows":[
[E1,0,{"count":2,"total_ns":3000000,"max_ns":2000000,"min_ns":1000000,"slots":{"150":2}},0],
[E2,111,{"count":1,"total_ns":50000,"max_ns":50000,"min_ns":50000,"slots":{"120":1}},0],
[E3,1000,{"count":1,"total_ns":300000000,"max_ns":300000000,"min_ns":300000000,"slots":{"210":1}},1]]}
{"map":"attempts","key":["key"],"value":["began","ended","tid","tgid","retransmits","pad","ends"],"rows":[
[7,5000000000,0,5,5,0,0,E3]]}
{"end":6000000000,"took":5.0,"why":"","hits":4,"cost_s":0.1,"losses":{}}
""".replace("\n[", "[")
for _name, _far in (("E1", "10.0.0.7:5432"), ("E2", "[fd00::2]:443"), ("E3", "10.0.0.9:80")):
    _TEXT = _TEXT.replace(_name, _ENDS % _far)

SAMPLES = (
    Sample(
        (Output(argv=("python3",), stdout=_TEXT.encode()),),
        (
            "5 TCP connects to 3 peers in 5.0 s, 3 without success",
            "1 x ECONNREFUSED at [fd00::2]:443",
            "what='10.0.0.9:80', result='gave up'",
            "what='10.0.0.9:80', result='no answer yet'",
            "1 SYN sent again",
            "what='10.0.0.7:5432', result='ok'",
            "min_s=0.001",
        ),
    ),
    Sample(
        (
            Output(
                argv=("python3",),
                stdout=b'{"refused":"loading the program","errno":1,"why":"not permitted","said":""}',
            ),
        ),
        ("NotObserved(program='tcp-connect-latency'", "CAP_BPF"),
    ),
)
