"""Calls of one function of a live Python process: arguments, result, exception, duration, thread, trace id.

Shows: one line a call (-n of them), those for which --where holds; calls by how they ended (returned, raised, closed,
  cancelled), with the time that generators and coroutines were suspended told apart; who called (--callers); rates and
  latencies (--stats). Which function stands behind a decorator, cache, property, partial or class is said.
How: a thread is started in the process by one stop of about 1 ms; it exchanges the code of the function for code that
  calls the original, and puts it back: after -n calls, when the time is over, when locard goes away (4 s), where
  it costs more than --max-overhead. Values are read as they are stored, and no code of the application is run for
  it. Conditions are tested in the process.
Impact: injects. A thread and 260 KiB of memory in the process for as long as it is watched, gone after it. No file,
  no port, no library, no descriptor. What the C library keeps of an ended thread (its stack, an arena) it keeps.
Limits: CPython 3.8 to 3.15 on x86-64, not free-threaded, not with audit hooks. A function that looks at its caller's
  frame is refused; what it calls and looks further up sees one frame more. Meanwhile the limit of recursion is 200
  higher, and from 3.12 on a fork warns that there is another thread. A builtin written in C has no code to exchange:
  the refusal says how libcalls counts it. Up to 3.10 tracebacks show the function twice. Durations
  hold the cost of watched calls inside of them; arguments are those at the end, except with -b. Calls that began before are not counted,
  forked children and subinterpreters not seen. A call costs about 1 us more, a told one some 60 us.
Source: ptrace(2), rt_sigreturn(2), process_vm_writev(2); CPython's C API and data model.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from locard.far import python_expression
from locard.guard import needs
from locard.guard.command import Impact, Residue, Template
from locard.model import params
from locard.model.errors import UsageError
from locard.model.evidence import Output, Scope
from locard.model.foreign_json import parsed
from locard.model.watch_facts import (
    CallsByState,
    TreeLine,
    Watched,
    WatchedCall,
    WatchedFunction,
    WatchedProcess,
)
from locard.probe import Sample
from locard.runtime import detect
from locard.runtime.python import stacks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

BY_DEFAULT = False
BY_LINE = True  # what comes is told as it comes
_SETTLES_S = 20.0  # for putting in and taking out, several processes one after the other
_MOST_CALLS = 10_000
_FILES = (
    "processes python_thread signal_frames thread_stop seccomp_filters python_inject python_listeners"
    " python_functions python_names python_search python_expression python_session python_watch"
)
READER = "+".join((stacks.OWN.program or "", *(f"far/{name}.py" for name in _FILES.split())))
AGENT = tuple(
    (name, f"far/agent/{name}.py")
    for name in ("boot", "reading", "leaves", "exchange", "telling", "tree", "hooks", "orders")
)


@dataclass(frozen=True, slots=True)
class Params:
    """Which functions, which calls of them, and what is shown."""

    name: str = params.text(
        "", "what to watch: module:function or module:Class.method; several with commas"
    )
    most: int = params.param(
        5,
        "calls to tell of each process, then it lets go",
        least=1,
        most=_MOST_CALLS,
        flag="-n --most",
    )
    for_s: float = params.duration(30.0, "how long", least=0.5, most=3600.0, flag="--for")
    depth: int = params.param(2, "how deep values are shown", least=0, most=6, flag="-x --depth")
    where: str = params.text(
        "",
        "tell only calls for which this holds: 'cost_ms > 100 and params[0].currency == \"EUR\"'",
    )
    show: str = params.text(
        "", "what to show of a call in place of arguments and result: 'params[0].id, result'"
    )
    exceptions: bool = params.switch("only calls that raise", flag="-e --exceptions")
    before: bool = params.switch(
        "tell calls when they begin, with their arguments alone", flag="-b --before"
    )
    stats: bool = params.switch("count only: rates, failures and latencies, a line an interval")
    callers: bool = params.switch("count calls by who called")
    tree: bool = params.switch("of each call that is told, the time by what it calls")
    locals: bool = params.switch("with an exception, the variables where it was raised")
    alone: bool = params.switch(
        "only what the name means now: no search for other living functions of that name"
    )
    max_overhead: float = params.param(
        2.0,
        "per cent of the target's CPU time that it may cost; then it lets go",
        least=0.01,
        most=1000.0,
    )


PARAMS = Params
LEFT = Residue(
    "a thread and 260 KiB of memory in the process while it is watched: gone at the end, which is checked; the C library"
    " may keep an ended thread's stack and arena for the next one, and calls that are still inside end through our code"
)
WATCH = Template(
    argv=("python3", "-I", "-S", "-", "watch", "{settings:source}", "{pid:pid*}"),
    impact=Impact.INJECTS,
    bound_s=3600.0 + _SETTLES_S,
    by_hand="locard watch",
    residue=(LEFT,),
    max_bytes=24 << 20,
    program=READER,
    needs=(needs.PYTHON,),
    output="json",
    streams=True,
    prompt=True,
    ends="interrupted",
    parts=AGENT,
)
COMMANDS = (detect.MAPPED, WATCH)


def check(asked: Params) -> None:
    """A name was given and the expressions are ones; raises UsageError."""
    if not asked.name:
        raise UsageError(
            "no function was named",
            "watch takes one",
            "Write for example: locard watch pid/4242 'shop:Order.pay' --allow injects",
        )
    for flag, text, read in (
        ("--where", asked.where, python_expression.condition),
        ("--show", asked.show, python_expression.values),
    ):
        try:
            if text:
                read(text, None)
        except python_expression.ExpressionError as error:
            at = min(error.column, 60)
            raise UsageError(
                f"{flag} does not fit: {error.what}",
                f"{text}\n          {' ' * at}^",
                f"Known are {python_expression.KNOWN_NAMES}; comparisons, in, and, or, not, len().",
            ) from None


def applies(context: Context) -> Skip | None:
    """It takes processes; which of them are Python is found by looking."""
    return stacks.applies(context)


def scope(context: Context) -> Scope:
    """Every process of the target."""
    return Scope(pids=context.target.pids)


def plan(context: Context, asked: Params = Params()) -> Generator[Step, Output, None]:
    """Tell the runtimes, then watch in every CPython of the target."""
    mapped = yield detect.MAPPED.fill(pid=context.target.pids)
    pythons = detect.pythons(mapped)
    pids = tuple(p for p in context.target.pids if p in pythons) or context.target.pids
    settings = {
        "spec": [n.strip() for n in asked.name.split(",") if n.strip()], "most": asked.most, "depth": asked.depth,
        "where": asked.where, "show": asked.show, "only": asked.exceptions, "before": asked.before,
        "stats": asked.stats, "callers": asked.callers, "tree": asked.tree, "locals": asked.locals, "share": asked.max_overhead / 100,
        "seconds": asked.for_s, "others": not asked.alone,
    }  # fmt: skip
    command = WATCH.fill(settings=json.dumps(settings, separators=(",", ":")), pid=pids)
    flags = params.typed(dataclasses.replace(asked, name=""))
    words = ("locard", "watch", context.target.ref, asked.name, *flags, "--allow", "injects")
    yield dataclasses.replace(command, bound_s=asked.for_s + _SETTLES_S, by_hand=shlex.join(words))


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One Watched."""
    facts: list[Fact] = []
    for output in outputs:
        if "watch" not in output.argv:
            continue
        told = _Told()
        for row in rows(output.text):
            told.take(row)
        if told.any:
            facts.append(told.fact(output.duration_s))
    return tuple(facts)


def rows(text: str) -> Iterator[dict[str, Any]]:
    """The lines that are JSON objects."""
    for line in text.splitlines():
        try:
            row = parsed(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


@dataclass(slots=True)
class _Sums:
    """One state of one function."""

    calls: int = 0
    total: int = 0
    inside: int = 0
    most: int = 0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, row: Sequence[Any]) -> None:
        """[calls, ns in all, ns inside, longest, [[bucket, calls], ...]]."""
        self.calls += int(row[0])
        self.total += int(row[1])
        self.inside += int(row[2])
        self.most = max(self.most, int(row[3]))
        for bucket, calls in row[4]:
            self.buckets[int(bucket)] = self.buckets.get(int(bucket), 0) + int(calls)

    def percentile(self, share: float) -> float:
        """Seconds below which that share of the calls lies: the upper end of its bucket, at most 12 % above."""
        left = share * self.calls
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                bits, step = divmod(bucket, 8)
                high = (9 + step) << bits - 4 if bits > 3 else 1 << bits  # noqa: PLR2004 - as far/agent/telling.py counts
                return min(high, self.most) / 1e9
        return self.most / 1e9


@dataclass(slots=True)
class _Function:
    """One function while its lines come."""

    row: dict[str, Any]
    states: dict[str, _Sums] = field(default_factory=dict)
    tested: list[int] = field(default_factory=lambda: [0, 0, 0])
    callers: dict[tuple[str, ...], int] = field(default_factory=dict)
    cache: list[list[int]] = field(default_factory=list)
    began: float = 0.0
    last: float = 0.0
    off: dict[str, Any] = field(default_factory=dict)
    means: str = ""

    def add_cache(self, row: dict[str, Any]) -> None:
        """The counters of an lru_cache before it, where there is one."""
        if row.get("cache"):
            self.cache.append([int(n) for n in row["cache"]])

    def fact(self) -> WatchedFunction:
        """Its sums."""
        row = self.row
        cache = None
        if self.cache:
            first, last = self.cache[0], self.cache[-1]
            cache = (last[0] - first[0], last[1] - first[1], last[2])
        return WatchedFunction(
            number=int(row["function"]), pid=int(row["pid"]), module=str(row["module"]), name=str(row["name"]),
            kind=str(row["kind"]), file=str(row["file"]), line=int(row["line"]), said=tuple(map(str, row["said"])),
            seconds=round(max(0.0, self.last - self.began), 3),
            states=tuple(
                CallsByState(
                    name, s.calls, round(s.total / 1e9, 9), round(s.inside / 1e9, 9), round(s.percentile(0.5), 9),
                    round(s.percentile(0.95), 9), round(s.most / 1e9, 9),
                )
                for name, s in sorted(self.states.items(), key=lambda i: -i[1].calls)
            ),
            threads_inside=int(row["inside"]), tested=self.tested[0] + self.tested[1], matched=self.tested[1],
            unreadable=self.tested[2], cache=cache,
            callers=tuple((n, chain) for chain, n in sorted(self.callers.items(), key=lambda i: -i[1])[:50]),
            counted_only=bool(row["counted"]), still_inside=int(self.off.get("inside", 0)),
            let_go=str(self.off.get("kind", "")), ended=str(self.off.get("why", "")), restored=self.off.get("restored"), now_means=self.means,
        )  # fmt: skip


class _Told:
    """The lines of one watch."""

    def __init__(self) -> None:
        self.any = False
        self.functions: dict[tuple[int, int], _Function] = {}
        self.processes: dict[int, dict[str, Any]] = {}
        self.calls: list[WatchedCall] = []
        self.faults: list[str] = []
        self.dropped: dict[int, int] = {}
        self.end: dict[str, Any] = {}

    def take(self, row: dict[str, Any]) -> None:
        """One line; what is not whole is passed over."""
        self.any = True
        try:
            self._take(row)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            return

    def _take(self, row: dict[str, Any]) -> None:
        if "end" in row:
            self.end = row
            return
        pid = int(row["pid"])
        process = self.processes.setdefault(pid, {})
        if "function" in row:
            self.functions[pid, int(row["function"])] = _Function(row)
        elif "means" in row:
            for (of, _), one in self.functions.items():
                if of == pid and one.row.get("spec") == row["spec"]:
                    one.means = str(row["means"] or "nothing")
        elif "ev" in row:
            self._event(pid, row)
        else:
            process.update(row)

    def _event(self, pid: int, row: dict[str, Any]) -> None:
        if row["ev"] == "fault":
            self.faults.append(str(row["what"]))
            return
        function = self.functions[pid, int(row["w"])]
        if row["ev"] == "call":
            self.calls.append(call_of(pid, row))
        elif row["ev"] == "off":
            function.off = row
        elif row["ev"] == "on":
            function.began = function.last = float(row["at"])
            function.add_cache(row)
        elif row["ev"] == "stats":
            function.last = max(function.last, float(row["at"]))
            self.dropped[pid] = max(self.dropped.get(pid, 0), int(row.get("dropped", 0)))
            for state, sums in row["states"].items():
                function.states.setdefault(str(state), _Sums()).add(sums)
            function.tested = [
                a + int(b) for a, b in zip(function.tested, row["tested"], strict=True)
            ]
            for calls, chain in row["callers"]:
                key = tuple(map(str, chain))
                function.callers[key] = function.callers.get(key, 0) + int(calls)
            function.add_cache(row)

    def _complete(self) -> None:
        """Where a target ended meanwhile its last counts are lost: then the calls that were told are counted."""
        for (pid, number), function in self.functions.items():
            if function.off.get("kind") == "ended" and self.end.get("end") == "time":
                function.off |= {"kind": "time", "why": "the time was over"}
            told = [c for c in self.calls if (c.pid, c.function) == (pid, number)]
            if sum(s.calls for s in function.states.values()) >= len(told):
                continue
            function.states.clear()
            for call in told:
                took = round(call.cost_us * 1000)
                inside = took if call.inside_us is None else round(call.inside_us * 1000)
                bits = took.bit_length()
                bucket = bits * 8 + (took >> bits - 4 & 7 if bits > 3 else 0)  # noqa: PLR2004
                function.states.setdefault(call.state, _Sums()).add(
                    [1, took, inside, took, [[bucket, 1]]]
                )

    def fact(self, seconds: float) -> Watched:
        """Everything that was told."""
        self._complete()
        functions = tuple(f.fact() for f in self.functions.values())
        inside: dict[int, int] = {}
        for one in functions:
            inside[one.pid] = inside.get(one.pid, 0) + one.still_inside
        return Watched(
            seconds=round(float(self.end.get("took", seconds)), 3),
            ended=str(self.end.get("end", "")),
            processes=tuple(
                _process(pid, row, inside.get(pid, 0))
                for pid, row in sorted(self.processes.items())
            ),
            functions=functions,
            calls=tuple(self.calls[:_MOST_CALLS]),
            faults=tuple(dict.fromkeys(self.faults)),
            untold=sum(self.dropped.values()),
        )


def call_of(pid: int, row: dict[str, Any]) -> WatchedCall:
    """One call; the first parameter of a method is its target."""
    values = [(str(name), _json(value)) for name, value in row.get("params", {}).items()]
    target = None
    if values and values[0][0] in {"self", "cls", "mcs"}:
        target = values.pop(0)[1]
    return WatchedCall(
        ts=float(row["at"]), pid=pid, function=int(row["w"]), state=str(row["state"]), cost_us=float(row["cost_us"]),
        params=tuple(values), target=target,
        returned=_json(row["value"]) if "value" in row else None,
        exception=_json(row["exception"]) if "exception" in row else None,
        locals=_json(row["locals"]) if "locals" in row else None,
        shown=tuple((str(n), _json(v)) for n, v in row.get("shown", {}).items()),
        inside_us=row.get("inside_us"), values=row.get("values"), thrown=str(row.get("thrown", "")),
        tree=tuple(_line(t) for t in row.get("tree", ())),
        thread=row.get("thread"), trace_id=str(row.get("trace") or ""), callers=tuple(map(str, row.get("callers", ()))),
    )  # fmt: skip


def _line(row: Sequence[Any]) -> TreeLine:
    depth, name, calls, total, own = row
    return TreeLine(int(depth), str(name), int(calls), float(total), float(own))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _process(pid: int, row: dict[str, Any], inside: int) -> WatchedProcess:
    version = row.get("python")
    return WatchedProcess(
        pid=pid, runtime=f"CPython {version}" if version else "",
        stopped_ms=row.get("stopped_ms"), refused=str(row.get("refused", "")),
        next_step=str(row.get("next_step", "")), near=tuple(map(str, row.get("near", ()))),
        left=tuple(map(str, row.get("left", ()))), children=int(row.get("children", 0)),
        other_interpreters=int(row.get("others", 0)), gone=bool(row.get("gone")), still_inside=inside,
        unknown=bool(row.get("unknown")),
    )  # fmt: skip


_ASKED = ("python3", "-I", "-S", "-", "watch", "{}", "7")
_TOLD = b"""{"pid":7,"python":"3.12","others":0,"stopped_ms":0.7}
{"function":0,"pid":7,"name":"charge","module":"shop","kind":"function","file":"/srv/shop.py","line":39,"said":[],"counted":false,"inside":0,"cached":false}
{"ev":"on","w":0,"at":100.0,"pid":7}
{"ev":"call","w":0,"at":100.5,"cost_us":2.9,"state":"returned","params":{"self":{"@":"Shop"},"order_id":29},"name":"charge","value":{"order":29},"thread":9,"trace":null,"callers":["pay (shop.py:1)"],"pid":7}
{"ev":"stats","w":0,"at":101.0,"states":{"returned":[40,116000,116000,4000,[[93,40]]],"raised":[2,9000,9000,5000,[[101,2]]]},"tested":[30,10,2],"inside":0,"spent_ns":1,"cpu_ns":1,"cache":null,"callers":[[42,["pay (shop.py:1)"]]],"pid":7}
{"ev":"off","w":0,"kind":"told","why":"5 calls were told","restored":true,"inside":0,"pid":7}
{"pid":7,"left":[],"children":1,"threads":[2,2],"open":[]}
{"end":"told","asked":30,"took":1.2}
"""

SAMPLES = (
    Sample(
        (Output(argv=_ASKED, stdout=_TOLD),),
        ("charge", "calls=40", 'target=\'{"@":"Shop"}\'', "unreadable=2", "children=1"),
    ),
    Sample(
        (
            Output(
                argv=_ASKED,
                stdout=b'{"pid":7,"refused":"it is stopped","next_step":"let it go on","near":[]}\n{"end":"refused","asked":30,"took":0}\n',
            ),
        ),
        ("it is stopped",),
    ),
)
