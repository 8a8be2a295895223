"""System calls of the target: where they spend wall time, by thread, file, peer, lock and error.

Shows: for each call its count, wall time, latencies, bytes, errors; the same by thread, by file or
  peer, by lock address, by errno; calls that have not ended; each call slower than a threshold; what
  epoll reported for which descriptor.
How: an eBPF program on the kernel's sys_enter and sys_exit sums in the kernel; threads and children
  that begin meanwhile are followed. Names of files are taken when they are first used.
Impact: samples. About 0.3 us a call for the target, 0.02 to 0.1 us for every other process; it
  detaches by itself past --max-overhead.
Limits: a call that a signal interrupts and the kernel begins anew (a restart) is no error. Ranked by wall time: CPU time ranks an idle pool above a contended lock. What goes through
  io_uring or the vDSO is no system call; 32-bit programs are not counted. A call that had begun before
  locard attached is counted only if it has not ended.
Source: strace(1) -c -f -w; Gregg, "BPF Performance Tools", ch. 6; proc(5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from locard.kernel import _by_thread, _call_errors, _observing, engines, syscall_table
from locard.kernel._observing import Told, latencies, ranked
from locard.kernel.engines import bpftrace, perf_trace, strace
from locard.model import params
from locard.model.errors import UsageError
from locard.model.evidence import Output
from locard.model.kernel_facts import Bucket, Histogram, Row, SystemCalls
from locard.probe import Sample

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from locard.model.evidence import Scope
    from locard.model.facts import Fact
    from locard.model.target import Context, Skip
    from locard.probe import Step

_EACH_NS = 300.0  # of a call, measured: bench/RESULTS.md, kernel
_KIND_MASK, _SOCKET, _PIPE = 0o170000, 0o140000, 0o010000
_KINDS = {0o100000: "file", 0o040000: "folder", 0o020000: "device", 0o060000: "block device"}
_EVENTS = ("/[", "/anon_inode:", "/proc/", "/sys/")  # no disk behind them
_FUTEX_PRIVATE, _FUTEX_OP = 0x80, 0x7F
_OPS = {0: "wait", 6: "lock-pi", 9: "wait-bitset", 11: "requeue-pi", 13: "lock-pi2"}
_READY = ((1, "IN"), (4, "OUT"), (0x08, "ERR"), (0x10, "HUP"), (0x2000, "RDHUP"))
_MOST_DESCRIPTORS = 1 << 20
_SMALL = 7  # bytes of 2^7 and more are no small transfer
_PROTOCOLS = {6: "tcp", 17: "udp", 1: "icmp"}

COMMANDS = (
    _observing.template(
        "syscalls",
        "strace -c -f -w -p '{pid}'",
        own="kernel/_thread_reader.py+kernel/_names_far.py",
    ),
    engines.LOOK,
    *strace.COMMANDS,
    *perf_trace.COMMANDS,
    *bpftrace.CALLS,
)


@dataclass(frozen=True, slots=True)
class Params:
    """What to count, and for how long."""

    for_s: float = _observing.for_param()
    net: bool = params.switch("only calls of the network")
    files: bool = params.switch("only calls on files and descriptors")
    errors: bool = params.switch("only calls that fail, by call, errno and file")
    slow: float = params.duration(
        0.0, "tell each call of at least this, such as 1ms", least=0.0, most=600.0
    )
    events: str = params.text(
        "",
        "which calls, as strace -e trace= takes them: network, openat,read, %%file, 'fs*'",
        pattern=r"[^\0]*[^\0\s,][^\0]*",
    )
    max_overhead: float = _observing.overhead_param()
    engine: str = engines.engine_param("perf", "bpftrace", "strace")


PARAMS = Params


def applies(context: Context) -> Skip | None:
    """It takes processes."""
    return _observing.applies_to_programs(context)


def scope(context: Context) -> Scope:
    """The processes with the threads and children that they begin."""
    return _observing.scope(context)


def check(asked: Params) -> None:
    """Raises UsageError where a call is none of any machine, or a tool does not know what is asked."""
    _chosen("x86_64", asked)
    engines.check(asked, "net", "files", "events")


def plan(context: Context, asked: Params = Params(for_s=2.0)) -> Generator[Step, Output, None]:
    """One observation of all processes."""
    machine = (context.ground.machine if context.ground else "") or "x86_64"
    if asked.engine != engines.EBPF:
        yield from _by_tool(machine, asked, context.target.pids)
        return
    yield _observing.observe(
        COMMANDS[0], asked.for_s, _settings(machine, asked), context.target.pids
    )


def _by_tool(machine: str, asked: Params, pids: tuple[int, ...]) -> Generator[Step, Output, None]:
    chosen = sorted(_chosen(machine, asked))
    if asked.engine == bpftrace.TOOL:
        return bpftrace.plan_calls(asked.for_s, chosen, pids)
    names = [syscall_table.name(machine, n) for n in chosen]
    if asked.engine == strace.TOOL:
        return strace.plan(asked.for_s, names, pids)
    return perf_trace.plan(asked.for_s, names, pids)


# Calls that the vDSO mostly answers without the kernel.
_VDSO = frozenset({"clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres"})


def _settings(machine: str, asked: Params) -> dict[str, Any]:
    takes = {}
    for number, name in syscall_table.names(machine).items():
        if name in syscall_table.ON_DESCRIPTOR:
            takes[str(number)] = 3 if name in syscall_table.MOVES_BYTES else 1
    chosen = _chosen(machine, asked)
    return {
        "set": {
            "takes": takes,
            "wanted": {str(number): 1 for number in sorted(chosen)},
            "only_wanted": int(bool(chosen)),
            "slow_ns": int(asked.slow * 1e9),
            "errors_only": int(asked.errors),
        },
        "attach": ["begin", "end"],
        "rings": ["opened_files", "slow_calls"],
        "rows": {"blocked": "blocked_row"},
        "share": asked.max_overhead / 100,
        "cost_ns": _EACH_NS,
        "mark_last": True,
    }


def _chosen(machine: str, asked: Params) -> set[int]:
    """The numbers of the calls that were asked for; none: all. Raises UsageError."""
    names = syscall_table.numbers(machine)
    words: list[str] = []
    if asked.net:
        words += ["network"]
    if asked.files:
        words += ["file", "desc"]
    words += [w.strip().removeprefix("trace=") for w in asked.events.split(",") if w.strip()]
    found: set[int] = set()
    for word in words:
        bare = word.removeprefix("%")
        fits = syscall_table.CLASSES.get(bare) or [n for n in names if fnmatchcase(n, bare)]
        if not fits:
            raise UsageError(
                f"no system call {word!r}",
                f"it is no call of {machine} and no class: {', '.join(syscall_table.CLASSES)}",
                "Write for example --events network, or --events openat,read.",
            )
        found |= {names[n] for n in fits if n in names}
    return found


def read(outputs: Sequence[Output]) -> tuple[Fact, ...]:
    """One SystemCalls an observation, or why the kernel did not take it."""
    for reader in (strace.read, perf_trace.read, bpftrace.read_calls):
        found = reader(outputs)
        if found is not None:
            return (found,)
    facts: list[Fact] = []
    for output in outputs:
        told = _observing.told(output)
        refused = _observing.refusal("syscalls", told)
        if refused is not None:
            facts.append(refused)
        elif told.began:
            facts.append(_facts(told))
    return tuple(facts)


def _facts(told: Told) -> SystemCalls:
    machine = told.machine
    names = Descriptors(told)
    observed = told.observed(each_ns=_EACH_NS)
    entries = (*told.map("calls"), *told.map("beyond"))
    seen = {syscall_table.name(machine, row["number"]) for row in entries} & _VDSO
    if seen:
        words = (
            f"most calls of {', '.join(sorted(seen))} go through the vDSO and are no system calls"
        )
        observed = replace(observed, blind=(*observed.blind, words))
    histograms = {
        int(row.get("key") or 0): row.get("slots", {})
        for row in told.map("histogram")
        if isinstance(row.get("slots"), dict)
    }
    return SystemCalls(
        observed=observed,
        calls=_calls(told, machine, histograms),
        threads=_threads(told, machine),
        files=_files(told, machine, names),
        errors=_call_errors.rows(told, machine, names.name),
        locks=_locks(told),
        blocked=_blocked(told, machine),
        slow=_slow(told, machine, names),
        ready=_ready(told, names),
        histograms=(*_sizes(told, machine), *_latencies(machine, histograms)),
    )


def _latencies(machine: str, histograms: dict[int, dict[str, int]]) -> tuple[Histogram, ...]:
    """Of the calls that are made most often."""
    ordered = sorted(histograms.items(), key=lambda item: -sum(item[1].values()))
    return tuple(
        _observing.histogram(syscall_table.name(machine, number), slots)
        for number, slots in ordered
    )[:12]


def _sizes(told: Told, machine: str) -> tuple[Histogram, ...]:
    """Bytes that a call moved, by powers of two."""
    by_call: dict[str, dict[str, int]] = {}
    for row in told.map("descriptors"):
        name = syscall_table.name(machine, row["number"])
        _observing.add_slots(by_call.setdefault(name, {}), row["sizes"])
    ordered = sorted(by_call.items(), key=lambda item: -sum(item[1].values()))
    return tuple(
        Histogram(
            f"bytes a call, {name}",
            "bytes",
            tuple(Bucket(1 << k, 2 << k, sizes[str(k)]) for k in sorted(map(int, sizes))),
        )
        for name, sizes in ordered
        if sizes
    )[:6]


class Descriptors:
    """What the descriptors are called that were seen: by process, inode and number."""

    def __init__(self, told: Told) -> None:
        """From the events of first uses, and from what the place looked up at the end."""
        self._names: dict[tuple[Any, ...], str] = {}
        self.kinds: dict[tuple[Any, ...], str] = {}
        self._tcp: dict[int, str] = {}
        for row in told.others:
            if "socket" in row:
                self._tcp[int(row["socket"])] = str(row.get("words", ""))
        for event in told.events.get("opened_files", ()):
            key = (event.get("tgid"), event.get("device"), event.get("file"))
            name, kind = self._name(event)
            if self.kinds.get(key) != "peer" or kind == "peer":  # once a far end is known it stays
                self._names[key], self.kinds[key] = name, kind

    def _name(self, event: dict[str, Any]) -> tuple[str, str]:
        kind = int(event.get("mode", 0)) & _KIND_MASK
        number = event.get("file")
        if kind == _PIPE:
            return f"pipe {number}", "pipe"
        if kind != _SOCKET:
            path = str(event.get("path", ""))
            return path, "event" if path.startswith(_EVENTS) else _KINDS.get(kind, "event")
        ends = event.get("ends") or {}
        known = self._tcp.get(int(number or 0), "")
        if ends.get("far") and not str(ends["far"]).endswith(":0"):
            protocol = _PROTOCOLS.get(int(ends.get("protocol") or 0), "socket")
            return known or f"{protocol} {ends['local']} -> {ends['far']}", "peer"
        if ends.get("local"):
            return known or f"socket {ends['local']}, not connected", "socket"
        return known or f"unix socket {number}", "unix"

    def name(self, row: dict[str, Any]) -> str:
        """The name of a row's descriptor; its number where it has none."""
        key = (row.get("tgid"), row.get("device"), row.get("file"))
        return self._names.get(key) or f"descriptor {row.get('descriptor')}"

    def kind(self, row: dict[str, Any]) -> str:
        """file, pipe, peer, socket, unix; empty where it is not known."""
        return self.kinds.get((row.get("tgid"), row.get("device"), row.get("file")), "")

    def by_number(self, told: Told, tgid: Any, number: Any) -> str:
        """What a descriptor's number stood for, by what was seen used under it."""
        for event in told.events.get("opened_files", ()):
            if event.get("tgid") == tgid and event.get("descriptor") == number:
                return self._name(event)[0]
        return ""


def _calls(told: Told, machine: str, histograms: dict[Any, dict[str, int]]) -> tuple[Row, ...]:
    by_call: dict[int, list[dict[str, Any]]] = {}
    for row in (*told.map("calls"), *told.map("beyond")):
        by_call.setdefault(row["number"], []).append(row)
    rows = []
    for number, parts in by_call.items():
        name = syscall_table.name(machine, number)
        whole = {
            "total_ns": sum(p["total_ns"] for p in parts),
            "max_ns": max(p["max_ns"] for p in parts),
            "slots": histograms.get(number, {}),
        }
        rows.append(
            Row(
                name,
                count=sum(p["count"] for p in parts),
                errors=sum(p["errors"] for p in parts),
                bytes=sum(p["bytes"] for p in parts) if name in syscall_table.MOVES_BYTES else None,
                detail=_of_call(name, sum(p.get("older", 0) for p in parts)),
                **latencies(whole),
            )
        )
    return ranked(rows)


def _of_call(name: str, older: int) -> str:
    words = ["waits"] if name in syscall_table.WAITS else []
    if older:
        words.append(
            f"{older} had begun before and {'is' if older == 1 else 'are'} counted from then on"
        )
    return ", ".join(words)


def _threads(told: Told, machine: str) -> tuple[Row, ...]:
    rows = []
    for row in told.map("calls"):
        known: dict[str, Any] = told.threads.get(row["tid"], {})
        rows.append(
            Row(
                syscall_table.name(machine, row["number"]),
                thread=told.thread(row["tid"]),
                pid=known.get("pid"),
                tid=row["tid"],
                count=row["count"],
                errors=row["errors"],
                bytes=row["bytes"] or None,
                **latencies(row),
            )
        )
    rows += [
        Row(
            syscall_table.name(machine, row["number"]),
            thread=_by_thread.OTHERS,
            count=row["count"],
            errors=row["errors"],
            bytes=row["bytes"] or None,
            **latencies(row),
        )
        for row in told.map("beyond")
    ]
    return _by_thread.listed(rows)


def _files(told: Told, machine: str, names: Descriptors) -> tuple[Row, ...]:
    """By name and call: a file that is opened again and again, and a far end over many connections, is one row."""
    devices = {r["device_number"]: str(r["name"]) for r in told.others if "device_number" in r}
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in told.map("descriptors"):
        kind, name = names.kind(row), names.name(row)
        if kind == "peer":
            protocol, _, ends = name.partition(" ")
            way = " -> " if " -> " in ends else " <- "
            near, _, far = ends.partition(way)
            # Of a client's connection our end names the service; of our own, the far end names the peer.
            name = f"{protocol}{way}{far}" if way == " -> " else f"{protocol} {near} <- clients"
        groups.setdefault((name, kind, row["number"], row["tgid"]), []).append(row)
    rows = [
        _file(key, parts, machine, {devices.get(p["device"], "") for p in parts}, names)
        for key, parts in groups.items()
    ]
    return ranked(rows)[:200]


def _file(
    key: tuple[Any, ...],
    parts: list[dict[str, Any]],
    machine: str,
    devices: set[str],
    names: Descriptors,
) -> Row:
    name, kind, number, tgid = key
    slots: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for part in parts:
        _observing.add_slots(slots, part["slots"])
        _observing.add_slots(sizes, part["sizes"])
    small = sum(v for k, v in sizes.items() if int(k) < _SMALL)
    one, empty = sizes.get("0", 0), sum(p["empty"] for p in parts)
    detail = kind
    if kind == "file" and len(devices) == 1 and (device := next(iter(devices))):
        detail += f", on {device}"
    if len(parts) > 1:
        detail += f", {len(parts)} {'connections' if kind == 'peer' else 'descriptors'}"
    if one:
        detail += f", {one} of 1 byte"
    elif small:
        detail += f", {small} of less than 128 bytes"
    if empty:
        detail += f", {empty} gave 0"
    whole = {
        "total_ns": sum(p["total_ns"] for p in parts),
        "max_ns": max(p["max_ns"] for p in parts),
        "slots": slots,
    }
    return Row(
        names.name(parts[0]) if len(parts) == 1 else name,
        syscall_table.name(machine, number),
        pid=tgid,
        count=sum(p["count"] for p in parts),
        errors=sum(p["errors"] for p in parts),
        bytes=sum(p["bytes"] for p in parts) or None,
        detail=detail,
        **latencies(whole),
    )


def _locks(told: Told) -> tuple[Row, ...]:
    named = {
        (r.get("of"), r.get("address")): r for r in told.others if "address" in r and "of" in r
    }
    rows = []
    for row in told.map("locks"):
        known = named.get((row["tgid"], row["address"]), {})
        op = row["op"] & _FUTEX_OP
        words = [str(known[k]) for k in ("symbol", "file") if known.get(k)]
        detail = " in ".join(words)
        if row["timeouts"]:
            detail += f"{', ' if detail else ''}{row['timeouts']} waits ended by their time limit"
        rows.append(
            Row(
                f"futex {row['address']:#x}",
                f"{_OPS.get(op, f'op {op}')}{' private' if row['op'] & _FUTEX_PRIVATE else ''}",
                pid=row["tgid"],
                count=row["count"],
                detail=detail,
                total_s=round(row["total_ns"] / 1e9, 9),
                max_s=round(row["max_ns"] / 1e9, 9),
            )
        )
    return ranked(rows)[:50]


def _blocked(told: Told, machine: str) -> tuple[Row, ...]:
    end = told.end.get("end")
    known = {
        (r.get("of"), r["descriptor"]): str(r["words"]) for r in told.others if "descriptor" in r
    }
    rows = []
    for row in told.iterators.get("blocked", ()):
        name = syscall_table.name(machine, row["number"])
        if not isinstance(end, int):
            continue
        on = known.get((row["tgid"], row["first"])) if name in syscall_table.ON_DESCRIPTOR else None
        since = "the whole time, and since before" if row.get("older") else "has not ended"
        rows.append(
            Row(
                name,
                thread=told.thread(row["tid"]),
                pid=row["tgid"],
                tid=row["tid"],
                count=1,
                total_s=round(max(0, end - row["began"]) / 1e9, 6),
                detail=f"{since}, on {on}" if on else since,
            )
        )
    return ranked(rows)


def _slow(told: Told, machine: str, names: Descriptors) -> tuple[Row, ...]:
    rows = []
    for event in told.events.get("slow_calls", ()):
        name = syscall_table.name(machine, event["number"])
        result = event["result"]
        on = names.name(event) if event.get("file") else ""
        rows.append(
            Row(
                name,
                syscall_table.error(-result) if -4096 < result < 0 else str(result),  # noqa: PLR2004 - MAX_ERRNO
                thread=told.thread(event["tid"]) or str(event.get("comm", "")),
                pid=event["tgid"],
                tid=event["tid"],
                count=1,
                total_s=round(event["took_ns"] / 1e9, 9),
                detail=on,
            )
        )
    return tuple(sorted(rows, key=lambda r: -(r.total_s or 0)))[:1000]


def _ready(told: Told, names: Descriptors) -> tuple[Row, ...]:
    known = {
        (r.get("of"), r["descriptor"]): str(r["words"]) for r in told.others if "descriptor" in r
    }
    rows = []
    for row in told.map("readiness"):
        # The user's data is a descriptor's number in its lower half, or anything else.
        number, tgid = row["data"] & 0xFFFFFFFF, row["tgid"]
        on = known.get((tgid, number)) or names.by_number(told, tgid, number)
        is_descriptor = bool(on) or row["data"] == number < _MOST_DESCRIPTORS
        words = [word for bit, word in _READY if row["mask"] & bit]
        rows.append(
            Row(
                f"descriptor {number}" if is_descriptor else f"data {row['data']:#x}",
                "+".join(words) or f"mask {row['mask']:#x}",
                pid=tgid,
                count=row["value"],
                detail=on,
            )
        )
    return tuple(sorted(rows, key=lambda r: -r.count))[:50]


_TEXT = (
    '{"began": 100, "attached": ["follow", "begin", "end"], "missing": {}, "kernel": "6.18",'
    ' "machine": "x86_64"}\n'
    '{"event": "opened_files", "file": 9, "device": 3, "tgid": 7, "descriptor": 3, "mode": 33188,'
    ' "ends": {"family": 0, "protocol": 0, "local": "", "far": ""}, "path": "/srv/list.txt"}\n'
    '{"map": "calls", "key": ["tid", "number"], "value": ["count", "total_ns", "max_ns", "errors",'
    ' "bytes", "empty"], "rows": [[8, 0, 6000, 4000000, 16000, 0, 6000, 0]]}\n'
    '{"map": "histogram", "key": ["key"], "value": ["slots"], "rows": [[0, {"56": 6000}]]}\n'
    '{"map": "descriptors", "key": ["file", "device", "number", "tgid", "descriptor"], "value":'
    ' ["count", "total_ns", "max_ns", "errors", "bytes", "empty", "sizes", "slots"], "rows":'
    ' [[9, 3, 0, 7, 3, 6000, 4000000, 16000, 0, 6000, 0, {"0": 6000}, {"56": 6000}]]}\n'
    '{"map": "errors", "key": ["tgid", "number", "error"], "value": ["value"], "rows": [[7, 0, 11, 4]]}\n'
    '{"thread": 8, "pid": 7, "comm": "sync"}\n'
    '{"end": 2000000100, "took": 2.0, "why": "", "hits": 6000, "cost_s": 0.1, "losses": {}}\n'
)

SAMPLES = (
    Sample(
        (Output(argv=("python3",), stdout=_TEXT.encode()),),
        (
            "what='/srv/list.txt', result='read'",
            "detail='file, 6000 of 1 byte'",
            "thread='sync'",
            "what='read', result='EAGAIN', thread='', pid=7, tid=None, count=4",
        ),
    ),
    Sample(
        (
            Output(
                argv=("python3",),
                stdout=b'{"refused": "loading the program", "errno": 1, "why": "no", "said": ""}\n',
            ),
        ),
        ("NotObserved", "CAP_BPF"),
    ),
)
