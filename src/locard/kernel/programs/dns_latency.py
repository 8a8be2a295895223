"""DNS lookups of the target: by name how many questions, what was answered, how long each took, by which server.

Shows: for each name that was looked up how many lookups, how long one took with all its questions, and how
  many of these the search list added; for each question (name and type) its answers (ok, NXDOMAIN, "no
  records", SERVFAIL, "no answer") and latencies, the server, questions that were sent again.
How: an eBPF program reads the messages that the target's threads send to port 53 and receive from there, over
  UDP and TCP, IPv4 and IPv6; /etc/resolv.conf is read through the root of each process. A lookup is what one
  thread asks for one name until records come (of a program whose threads share that, as Go's: the process).
Impact: samples. About 0.3 us for each read, write, send and receive of the target; a question costs 3 us.
Limits: the latency is what the program waits: until it takes the answer. What another process asks for the
  target (systemd-resolved over its socket, nscd, a sidecar) and DNS over TLS or HTTPS are not seen, nor
  what goes through io_uring. Of a name with one question it cannot be told whether a suffix was added.
Source: RFC 1035, resolv.conf(5); kubernetes/kubernetes#64924, coredns/coredns#357 (ndots:5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locard.kernel import _observing
from locard.kernel.programs import _lookups, _reading
from locard.kernel.programs._lookups import NO_ANSWER, NXDOMAIN, OK, WAITS, Lookup, Question
from locard.model import params
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

LOOKUP = "lookup of "
_EACH_NS = 300.0
_PATIENCE_S = 1.0  # after which a question has no answer; before it may still come
_SHOWN = 2
_ANSWERED = {OK, _lookups.NO_RECORDS, NXDOMAIN}  # of a question: no failure

COMMANDS = (
    _observing.template(
        "dns_latency",
        "strace -f -e trace=network -p {pid}; cat /proc/{pid}/root/etc/resolv.conf",
        own="kernel/_resolver_far.py",
    ),
)


@dataclass(frozen=True, slots=True)
class Params:
    """For how long, and what it may cost."""

    for_s: float = _observing.for_param()
    port: int = params.param(53, "the port of the DNS servers", least=1, most=65535)
    max_overhead: float = _observing.overhead_param()


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
    settings = {
        "set": {"port": asked.port},
        "attach": ["begin", "end"],
        "rings": ["answers"],
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
    }
    yield _observing.observe(COMMANDS[0], asked.for_s, settings, context.target.pids)


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Trace an observation, or why the kernel did not take it."""
    return _reading.facts("dns-latency", outputs, _trace)


def _trace(told: Told) -> Trace:
    questions = _questions(told)
    lookups = _lookups.lookups(questions, _searches(told))
    by_lookup, by_question = _lookup_rows(lookups), _question_rows(questions)
    says = _says(lookups, by_lookup, by_question, told.seconds)
    return Trace("dns-latency", says, told.observed(each_ns=_EACH_NS), (*by_lookup, *by_question))


def _searches(told: Told) -> dict[int, list[str]]:
    known = {
        int(r["resolver"]): [str(s) for s in r["search"]]
        for r in told.others
        if isinstance(r.get("resolver"), int) and isinstance(r.get("search"), list)
    }
    return {0: next(iter(known.values()), []), **known}  # 0: of a process that began later


def _questions(told: Told) -> list[Question]:
    end = told.end.get("end")
    found = []
    for entry in (*told.events.get("answers", ()), *told.map("questions")):
        try:
            began, took = int(entry["began"]), entry.get("took_ns")
            if took:
                result = _lookups.result_of(int(entry["code"]), int(entry["records"]))
            elif took is None and isinstance(end, int) and (end - began) / 1e9 < _PATIENCE_S:
                result = WAITS
            else:
                result = NO_ANSWER
            found.append(
                Question(
                    _lookups.name_of(str(entry["name"])),
                    _lookups.type_of(int(entry["type"])),
                    result,
                    began,
                    began + int(took) if took else None,
                    int(entry["tid"]),
                    int(entry["tgid"]),
                    str(entry["ends"]["far"]),
                    int(entry["again"]),
                )
            )
        except (KeyError, TypeError, ValueError):
            continue
    return found


def _lookup_rows(lookups: list[Lookup]) -> list[Row]:
    by_name: dict[tuple[str, str], list[Lookup]] = {}
    for lookup in lookups:
        by_name.setdefault((lookup.base, lookup.result), []).append(lookup)
    rows = [
        Row(
            LOOKUP + name,
            result,
            count=len(every),
            errors=None if result == OK else len(every),
            detail=_search_words(every),
            **_times([k.took_ns for k in every]),
        )
        for (name, result), every in by_name.items()
    ]
    return sorted(rows, key=lambda r: (-(r.total_s or 0.0), r.what))[:200]


def _search_words(every: list[Lookup]) -> str:
    """What the search list added, in words that are the same everywhere; else how many questions."""
    asked = sum(len(k.questions) for k in every)
    added = asked - sum(k.needed for k in every)
    denied = sum(k.nxdomain for k in every)
    n = len(every)
    words = f"{asked / n:.3g} {'question' if asked == n else 'questions'} per lookup"
    if denied:
        words += f", {denied / n:.3g} answered NXDOMAIN"
    if added and denied and sum(k.needed for k in every):
        return f"search path: {words}; a final dot or ndots saves {added / n:.3g}"
    return f"search path: {words}" if added else words


def _question_rows(questions: list[Question]) -> list[Row]:
    by_name: dict[tuple[str, str], list[Question]] = {}
    for question in questions:
        by_name.setdefault((f"{question.name} {question.type}", question.result), []).append(
            question
        )
    rows = []
    for (what, result), every in by_name.items():
        servers = sorted({q.server for q in every})
        again = sum(q.again for q in every)
        words = [f"server {', '.join(servers)}"] if servers else []
        words += [f"{again:,} sent again"] if again else []
        rows.append(
            Row(
                what,
                result,
                count=len(every),
                errors=None if result in _ANSWERED else len(every),
                detail=", ".join(words),
                **_times([None if q.ended is None else q.ended - q.began for q in every]),
            )
        )
    return sorted(rows, key=lambda r: (-(r.total_s or 0.0), r.what))[:400]


def _times(took: list[int | None]) -> dict[str, Any]:
    known = sorted(t for t in took if t is not None)
    if not known:
        return {}

    def at(share: float) -> float:
        return round(known[min(len(known) - 1, int(share * len(known)))] / 1e9, 9)

    return {
        "total_s": round(sum(known) / 1e9, 9),
        "min_s": at(0.0),
        "p50_s": at(0.5),
        "p99_s": at(0.99),
        "max_s": at(1.0),
    }


def _says(
    lookups: list[Lookup], by_lookup: list[Row], by_question: list[Row], seconds: float
) -> str:
    if not lookups:
        return f"no DNS question in {seconds:.1f} s"
    asked = sum(len(k.questions) for k in lookups)
    words = f"{count(len(lookups), 'DNS lookup')}, {count(asked, 'question')} in {seconds:.1f} s"
    named = [
        f"{r.what.removeprefix(LOOKUP)} p50 {duration(r.p50_s)} ({r.detail})"
        if r.p50_s is not None
        else f"{r.what.removeprefix(LOOKUP)} {r.result}"
        for r in by_lookup[:_SHOWN]
    ]
    more = f" and {count(len(by_lookup) - _SHOWN, 'more name')}" if len(by_lookup) > _SHOWN else ""
    words += f": {'; '.join(named)}{more}"
    slowest = max(by_question, key=lambda r: r.p50_s or 0.0)
    if slowest.p50_s:
        words += (
            f"; slowest question {slowest.what}, p50 {duration(slowest.p50_s)}, {slowest.result}"
        )
    silent = sum(r.count for r in by_question if r.result == NO_ANSWER)
    if silent:
        words += f"; {count(silent, 'question')} had no answer"
    return words


def _event(name: str, at: int, took: int, code: int, records: int) -> str:
    wire = "".join(f"\\u{len(label):04x}{label}" for label in name.split("."))
    return (
        f'{{"event":"answers","began":{1000000000 + at},"took_ns":{took},"tid":5,"tgid":5,"type":1,"again":0,'
        f'"code":{code},"records":{records},"cut":0,"ends":{{"family":2,"protocol":17,"local":"0.0.0.0:0",'
        f'"far":"10.0.0.53:53"}},"name":"{wire}"}}\n'
    )


_TEXT = (
    '{"resolver":5,"search":["svc.example","example"],"ndots":5,"servers":["10.0.0.53"]}\n'
    '{"began":1000000000,"attached":["begin"],"missing":{},"kernel":"6.1","machine":"x86_64"}\n'
    + _event("db.shop.svc.example", 0, 120_000_000, 3, 0)
    + _event("db.shop.example", 130_000_000, 3_000_000, 3, 0)
    + _event("db.shop", 135_000_000, 10_000_000, 0, 1)
    + '{"end":6000000000,"took":5.0,"why":"","hits":3,"cost_s":0.1,"losses":{}}\n'
)

SAMPLES = (
    Sample(
        (Output(argv=("python3",), stdout=_TEXT.encode()),),
        (
            "1 DNS lookup, 3 questions in 5.0 s: db.shop p50 145 ms",
            "slowest question db.shop.svc.example A, p50 120 ms, NXDOMAIN",
            "what='lookup of db.shop', result='ok'",
            "search path: 3 questions per lookup, 2 answered NXDOMAIN; a final dot or ndots saves 2",
            "what='db.shop.example A', result='NXDOMAIN'",
            "server 10.0.0.53:53",
        ),
    ),
)
