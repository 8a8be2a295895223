"""Signals to and from the target: who sends which to whom, and whether it is handled, ignored or ends it.

Shows: for each signal, sender and receiver how often it was sent and what became of it (sent, ignored,
  already pending); what it met when it was delivered: a handler, the default, nothing; signals that the
  kernel itself raises (a bad address, a timer, a closed pipe) are told apart.
How: an eBPF program on signal_generate and signal_deliver, counted in the kernel.
Impact: samples. About 0.3 us for each signal; it detaches by itself past
  --max-overhead. Also known as killsnoop, sigsnoop.
Limits: the sender is the process that was running; of a signal of the kernel there is none. A signal that
  is blocked is sent, and delivered when it is let through.
Source: signal(7), sigaction(2); killsnoop(8) of bcc.
"""

from __future__ import annotations

import signal as signals
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing, _traces
from locard.model.kernel_facts import Row, Trace
from locard.model.wording import count
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.kernel._observing import Told
    from locard.model.evidence import Output, Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 400.0  # of a signal
_RESULTS = (
    "sent",
    "ignored",
    "already pending",
    "lost: the queue was full",
    "sent without its information",
)
_MEETS = ("a handler", "the default", "nobody: ignored")
_KERNEL = "the kernel"
_RTMIN = 32
# What the default does nothing about.
_HARMLESS = frozenset({"SIGCHLD", "SIGURG", "SIGWINCH", "SIGCONT"})
_STOPS = frozenset({"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"})
_CODES = {
    "SIGSEGV": {1: "an address that is not mapped", 2: "an address that it may not use so"},
    "SIGBUS": {1: "a wrong alignment", 2: "a page that does not exist, such as beyond a file's end"},
    "SIGFPE": {1: "a division by zero"},
    "SIGCHLD": {1: "a child exited", 2: "a child was killed", 3: "a child dumped core", 5: "a child was stopped", 6: "a child was continued"},
}  # fmt: skip

COMMANDS = (_observing.template("signals", "strace -f -e trace=none -e signal=all -p {pid}"),)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long."""

    for_s: float = _observing.for_param()
    max_overhead: float = _observing.overhead_param()


PARAMS = Params


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    settings = {
        "attach": ["generated", "delivers"],
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace, or why the kernel did not take it."""
    return _traces.read("signals", outputs, _trace)


def name(number: int) -> str:
    """SIGTERM; a real-time signal by its distance from the first."""
    if number >= _RTMIN:
        return f"SIGRT{number - _RTMIN}"
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _trace(told: Told) -> Trace:
    met: dict[tuple[int, int], Counter[str]] = {}
    for row in told.map("delivered"):
        what = _MEETS[row["meets"]] if row["meets"] < len(_MEETS) else "something"
        met.setdefault((row["signal"], row["tgid"]), Counter())[what] += row["value"]
    fatal = _fatal(told, met)
    rows = []
    for row in told.map("sent"):
        called = name(row["signal"])
        named = row["sender"] or row["sender_comm"]
        sender = _observing.process(row["sender_comm"], row["sender"]) if named else _KERNEL
        words = [f"by {sender}{' of the target' if row['from_target'] and named else ''}"]
        why = _CODES.get(called, {}).get(row["code"], "")
        words += [why] if why else []
        if row["result"] in {0, 4} and row["to_target"]:
            meets = met.get((row["signal"], row["receiver"]))
            if meets:
                words.append(_met(called, meets))
            else:
                ended = fatal.get(row["receiver"]) == row["signal"]
                words.append("it ended the process" if ended else "not delivered yet")
        rows.append(
            Row(
                f"{called} to {row['receiver_comm']}",
                _RESULTS[row["result"]] if 0 <= row["result"] < len(_RESULTS) else "sent",
                pid=row["receiver"] or None,
                count=row["count"],
                detail="; ".join(words),
            )
        )
    return Trace(
        "signals", _says(told, rows, fatal), told.observed(each_ns=_EACH_NS), _traces.by_count(rows)
    )


def _fatal(told: Told, met: dict[tuple[int, int], Counter[str]]) -> dict[int, int]:
    """The signal that ended each process.

    One whose default ends a process is not delivered: the kernel delivers SIGKILL in its place to each thread.
    """
    found: dict[int, int] = {}
    for (number, pid), meets in met.items():
        if not meets.get(_MEETS[1]) or name(number) in _HARMLESS | _STOPS:
            continue
        if number != signals.SIGKILL:
            found[pid] = number
            continue
        sent = [r for r in told.map("sent") if r["receiver"] == pid and r["result"] in {0, 4}]
        if any(r["signal"] == number for r in sent):
            found.setdefault(pid, number)
            continue
        others = [r for r in sent if (r["signal"], pid) not in met and name(r["signal"]) not in _HARMLESS | _STOPS]  # fmt: skip
        if others:
            found.setdefault(pid, max(others, key=lambda r: r["last_ns"])["signal"])
    return found


def _met(called: str, meets: Counter[str]) -> str:
    """What the process's signals of this kind met, from whomever they came."""
    parts = []
    for what, number in meets.most_common():
        harmless = what == _MEETS[1] and called in _HARMLESS
        parts.append(f"{number:,} met {what}{' (does nothing)' if harmless else ''}")
    return ", ".join(parts)


def _says(told: Told, rows: list[Row], fatal: dict[int, int]) -> str:
    seconds = f"{told.seconds:.1f} s"
    if not rows:
        return f"no signal in {seconds}"
    by_signal: Counter[str] = Counter()
    for row in rows:
        by_signal[row.what] += row.count
    said = f"{count(by_signal.total(), 'signal')} in {seconds}: {_traces.in_words(by_signal)}"
    ended = [
        f"{name(number)} ended process {pid}{_sender(told, number, pid)}"
        for pid, number in fatal.items()
    ]
    return f"{said}; {', '.join(sorted(ended)[:3])}" if ended else said


def _sender(told: Told, number: int, pid: int) -> str:
    """Who sent it last, where that is known."""
    fits: list[dict[str, Any]] = [
        r for r in told.map("sent") if r["signal"] == number and r["receiver"] == pid
    ]
    if not fits:
        return ""
    last = max(fits, key=lambda r: r["last_ns"])
    return (
        f", sent by {_observing.process(last['sender_comm'], last['sender'])}"
        if last["sender"] or last["sender_comm"]
        else ", raised by the kernel"
    )


_BEGAN = '{"began":1000000000,"attached":["generated"],"machine":"x86_64"}'
_SENT = (
    '{"map":"sent","key":["signal","code","result","sender","receiver","to_thread","from_target","to_target",'
    '"sender_comm","receiver_comm"],"value":["count","first_ns","last_ns"],"rows":['
    '[15,0,0,9,7,0,0,1,"supervisor","worker",1,5,5],[10,0,1,7,8,0,1,0,"worker","other",3,5,5],'
    '[11,1,0,0,6,1,0,1,"","worker",1,5,5]]}'
)
_DELIVERED = '{"map":"delivered","key":["signal","tgid","meets"],"value":["value"],"rows":[[15,7,0,1],[11,6,1,1]]}'
_END = '{"end":6000000000,"took":5.0,"why":"","losses":{},"hits":5}'

SAMPLES = (
    Sample(
        (_traces.recorded(_BEGAN, _SENT, _DELIVERED, _END),),
        (
            (
                "5 signals in 5.0 s: SIGUSR1 to other 3, SIGSEGV to worker 1, SIGTERM to worker 1;"
                " SIGSEGV ended process 6, raised by the kernel"
            ),
            "what='SIGTERM to worker', result='sent', thread='', pid=7",
            "by supervisor (9); 1 met a handler",
            "what='SIGUSR1 to other', result='ignored'",
            "by the kernel; an address that is not mapped; 1 met the default",
        ),
    ),
    Sample((_traces.recorded(_BEGAN, _END),), ("no signal in 5.0 s",)),
)
