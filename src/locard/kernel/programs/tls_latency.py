"""TLS of the target: handshakes, reads and writes through OpenSSL and GnuTLS, with how long they took.

Shows: for each library handshakes that were done, that failed and that were given up, from the first call to
  the end, in how many calls, and how long these took (on a blocking socket that contains the wait for the
  peer); reads and writes with bytes and latencies, and how often they had nothing to give ("not now").
How: uprobes at the functions' entries and returns (SSL_do_handshake, SSL_connect, SSL_accept, SSL_read,
  SSL_write and their _ex forms, gnutls_handshake, gnutls_record_recv, gnutls_record_send) in the very files
  that the target has mapped, in a container too; a program with OpenSSL built in counts where its names are left.
Impact: samples. About 3 us for each of these calls; it detaches by itself past --max-overhead.
Limits: TLS of Go (crypto/tls), Rust (rustls) and Java (JSSE) goes through no such function, nor does a stripped
  program that has its own: what is known of that is said. A blocking read contains the wait for the peer. A
  handshake that OpenSSL does within the first SSL_read or SSL_write is part of that call's time.
Source: SSL_do_handshake(3), SSL_get_error(3), gnutls_handshake(3); iovisor/bcc sslsniff.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing
from locard.kernel.programs import _reading
from locard.kernel.programs._sums import Sums
from locard.model.evidence import Output
from locard.model.kernel_facts import NotObserved, Row, Trace
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

_EACH_NS = 3000.0
OK, NOT_NOW, FAILED, GAVE_UP = "ok", "not now", "failed", "gave up"
_RESULTS = (OK, NOT_NOW, FAILED, GAVE_UP)
_KINDS = (("handshake", "handshake"), ("connect", "handshake"), ("accept", "handshake"),
          ("read", "read"), ("recv", "read"), ("write", "write"), ("send", "write"))  # fmt: skip

COMMANDS = (
    _observing.template(
        "tls_latency",
        "sslsniff-bpfcc -l --handshake -p {pid}",
        own="kernel/_functions_far.py+kernel/_attacher_far.py+kernel/_tls_far.py",
        residue=(_observing.PROBE_PAGE,),
    ),
)


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
    settings = {"share": asked.max_overhead / 100, "cost_ns": _EACH_NS}
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why there was nothing to attach to."""
    return _reading.facts("tls-latency", outputs, _fact)


def _fact(told: Told) -> Fact:
    if told.end and not any(r.get("tls_in") for r in told.others):
        blind = [str(r["unseen"]) for r in told.others if "unseen" in r]
        why = "no file that the target has mapped has functions of OpenSSL or GnuTLS by name"
        return NotObserved("tls-latency", "; ".join([why, *blind]), "")
    return _trace(told)


@dataclass(slots=True)
class _Moved:
    """One kind of call of one library with one result."""

    sums: Sums
    bytes: int = 0
    inside_ns: int = 0
    calls: int = 0


def _trace(told: Told) -> Trace:
    names = {r["function"]: r for r in told.others if "function" in r and "file" in r}
    every: dict[tuple[str, str, str], _Moved] = {}
    for entry in told.map("tls"):
        try:
            known = names[entry["function"]]
            key = (str(known["file"]), _kind(str(known["name"])), _RESULTS[entry["result"]])
            mine = every.setdefault(key, _Moved(Sums()))
            mine.sums.add(entry["times"])
            mine.bytes += entry["bytes"]
            mine.inside_ns += entry["inside_ns"]
            mine.calls += entry["calls"]
        except (KeyError, TypeError, IndexError):
            continue
    rows = [_row(key, mine) for key, mine in every.items()]
    rows += _open(told, names)
    rows.sort(key=lambda r: (r.what, -(r.total_s or 0.0)))
    return Trace(
        "tls-latency", _says(rows, told.seconds), told.observed(each_ns=_EACH_NS), tuple(rows)
    )


def _kind(name: str) -> str:
    return next((kind for part, kind in _KINDS if part in name), name)


def _row(key: tuple[str, str, str], mine: _Moved) -> Row:
    file, kind, result = key
    words = [file]
    if kind == "handshake" and mine.sums.count:
        inside = duration(mine.inside_ns / mine.sums.count / 1e9)
        each = mine.calls / mine.sums.count
        words.append(f"{inside} in {each:.3g} {'call' if each == 1 else 'calls'} of each")
    return Row(
        kind,
        result,
        count=mine.sums.count,
        errors=mine.sums.count if result in {FAILED, GAVE_UP} else None,
        bytes=mine.bytes or None,
        detail=", ".join(words),
        **mine.sums.fields,
    )


def _open(told: Told, names: dict[Any, dict[str, Any]]) -> list[Row]:
    """Handshakes that had not ended."""
    end = told.end.get("end")
    ages: dict[str, list[float]] = {}
    for entry in told.map("handshakes"):
        known = names.get(entry.get("function"))
        if known is not None and isinstance(end, int) and isinstance(entry.get("began"), int):
            ages.setdefault(str(known["file"]), []).append((end - entry["began"]) / 1e9)
    return [
        Row(
            "handshake",
            "not done yet",
            count=len(every),
            min_s=round(min(every), 6),
            max_s=round(max(every), 6),
            detail=file,
        )
        for file, every in ages.items()
    ]


def _says(rows: list[Row], seconds: float) -> str:
    if not rows:
        return f"no TLS call of the target in {seconds:.1f} s"
    parts = []
    for kind in ("handshake", "read", "write"):
        mine = [r for r in rows if r.what == kind]
        done = [r for r in mine if r.result == OK]
        if done:
            typical = max(done, key=lambda r: r.count)
            parts.append(
                f"{count(sum(r.count for r in done), kind)}, p50 {duration(typical.p50_s)}, "
                f"longest {duration(max(r.max_s or 0.0 for r in done))}"
            )
        parts += [
            f"{count(r.count, kind)} {r.result}" for r in mine if r.result not in {OK, NOT_NOW}
        ]
    words = "; ".join(parts) or "TLS calls that had nothing to give"
    return f"TLS in {seconds:.1f} s: {words}"


_TIMES = '{"count":2,"total_ns":24000000,"max_ns":12500000,"min_ns":11500000,"slots":{"172":2}}'
_TEXT = (
    '{"began":1000000000,"attached":[],"missing":{},"kernel":"6.1","machine":"x86_64"}\n'
    '{"function":0,"name":"SSL_do_handshake","file":"/usr/lib/libssl.so.3"}\n'
    '{"function":1,"name":"SSL_read_ex","file":"/usr/lib/libssl.so.3"}\n'
    '{"map":"tls","key":["function","result"],"value":["times","bytes","inside_ns","calls"],"rows":['
    f"[0,0,{_TIMES},0,3000000,4],[0,2,{_TIMES},0,1000000,2],[1,0,{_TIMES},700,0,0]]}}\n"
    '{"tls_in":[5]}\n'
    '{"unseen":"process 6: it is a Go program, whose crypto/tls is not seen"}\n'
    '{"end":6000000000,"took":5.0,"why":"","hits":3,"cost_s":0.1,"losses":{}}\n'
)

SAMPLES = (
    Sample(
        (Output(argv=("python3",), stdout=_TEXT.encode()),),
        (
            "TLS in 5.0 s: 2 handshakes, p50 12",
            "2 handshakes failed",
            "what='handshake', result='ok'",
            "1.50 ms in 2 calls of each",
            "what='read', result='ok', thread='', pid=None, tid=None, count=2, errors=None, bytes=700",
            "blind=('process 6: it is a Go program, whose crypto/tls is not seen',)",
        ),
    ),
)
