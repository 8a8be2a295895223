"""Facts for the rules' tests, each with only what matters in it."""

from __future__ import annotations

from dataclasses import replace

from locard.investigate import logs_alone
from locard.model import semconv
from locard.model.contention import Contention, WaitedThing
from locard.model.evidence import Evidence, Layer, Scope, Status
from locard.model.facts import (
    EndpointCoverage,
    Frame,
    GoldenSignal,
    MemoryUse,
    MetricsSummary,
    Peer,
    Peers,
    ProcessConditions,
    ProcessFamily,
    Reading,
    Readings,
    RuntimeCoverage,
    ServerSession,
    StackSamples,
    ThreadPools,
    ThreadStack,
    ThreadState,
    ThreadStates,
)
from locard.model.finding import Case
from locard.model.heap_facts import HeapGrowth
from locard.model.kernel_facts import (
    LockWait,
    Observed,
    Row,
    SystemCalls,
    ThreadWait,
    Trace,
    Waits,
)
from locard.model.log_facts import Correlate, Extent, FieldRole, LogSummary, MessageCount, Onset
from locard.model.workload import WorkloadStates
from locard.report.logs_screen import screen
from locard.stats.intervals import binomial_tail

_LAYERS = {
    LogSummary: Layer.LOGS,
    MetricsSummary: Layer.METRICS,
    EndpointCoverage: Layer.METRICS,
    StackSamples: Layer.RUNTIME,
    ThreadPools: Layer.RUNTIME,
    HeapGrowth: Layer.RUNTIME,
    Contention: Layer.RUNTIME,
    RuntimeCoverage: Layer.RUNTIME,
    ThreadStates: Layer.KERNEL,
    Peers: Layer.KERNEL,
    ProcessConditions: Layer.KERNEL,
    ProcessFamily: Layer.HOST,
    MemoryUse: Layer.HOST,
    Readings: Layer.HOST,
    WorkloadStates: Layer.LOGS,
    SystemCalls: Layer.KERNEL,
    Waits: Layer.KERNEL,
    Trace: Layer.KERNEL,
}


def case(*facts):
    """A case with one evidence for each fact; None stands for a layer that was not looked at."""
    found = [f for f in facts if f is not None]
    return Case(
        "proc/gunicorn",
        1_000.0,
        tuple(
            Evidence(f"e{n}", "probe", _LAYERS[type(f)], Status.OK, Scope(), (), (f,))
            for n, f in enumerate(found, 1)
        ),
    )


def log(*correlates, changed=("latency",), messages=(), p99=(50.0, 1400.0)):
    return LogSummary(
        source="app.log", lines=1000, records=1000, skipped=(),
        roles=(FieldRole("upstream", "upstream", "its name"),),
        first=0.0, last=1000.0, error_means="status >= 500", bad_means="slow or failed",
        changed=changed, shape="step" if changed else "flat",
        onset=Onset(600.0, 602.0, 0.95) if changed else None, series=(),
        before_total=900, before_bad=1, after_total=400, after_bad=40,
        before_p50_ms=20.0, before_p99_ms=p99[0], after_p50_ms=80.0, after_p99_ms=p99[1],
        groups=(), blast_radius=(), correlates=correlates, messages=messages,
        trace_ids=(), gaps=(), engine="duckdb",
        extent=Extent(requests=1300, errors=1, errors_by=("status",), levels=2, statuses=2),
    )  # fmt: skip


def correlate(share=0.95, p_value=1e-20, **values):
    return Correlate(tuple(values.items()), 38, 37.0, share, 40.0, p_value)


def message(text, before=0, after=10):
    return MessageCount(text, before, after, text)


def calls(*latencies, kind="client"):
    """One endpoint; each latency is (name, mean before, mean now, share over before, now, count)."""
    signals = []
    for name, before, now, over_before, over_now, count in latencies:
        subject = (("kind", kind), ("server_address", name), ("server_port", "9102"))
        for word, unit, then, later, limit in (
            ("mean", "s", before, now, None),
            ("share_over", "1", over_before, over_now, 0.05),
        ):
            signals.append(
                GoldenSignal(
                    "latency", "http_client_request_duration_seconds",
                    (*subject, ("statistic", word)), unit, then, later, count, limit,
                    p_value=binomial_tail(round(later * count), count, then) if limit else None,
                )
            )  # fmt: skip
    return MetricsSummary("http://127.0.0.1:1/metrics", 9, 90, 2.0, tuple(signals))


SLOW = ("bank", 0.02, 0.4, 0.01, 0.3, 60)
AS_BEFORE = ("bank", 0.02, 0.02, 0.01, 0.01, 120)
OTHER = ("cards", 0.02, 0.02, 0.01, 0.01, 60)


def frame(text):
    """`reserve keys.py:24`, or `wait <lib>/threading.py:320` for the standard library."""
    function, _, place = text.partition(" ")
    file, _, line = place.rpartition(":")
    file = file.replace("<lib>", "/usr/lib/python3.11")
    return Frame(function, file if file.startswith("/") else f"/srv/pay/{file}", int(line))


WORKER = (
    "run <lib>/concurrent/futures/thread.py:58",
    "_worker <lib>/concurrent/futures/thread.py:83",
)
IDLE = (WORKER[1],)


def stack(at, tid, *frames, pid=7, active=False):
    return ThreadStack(at, pid, tid, f"worker-{tid}", active, tuple(frame(f) for f in frames))


def stacks(*every):
    return StackSamples("python", len({s.round for s in every}), every, ())


def in_call(at, tid):
    return stack(
        at, tid, "readinto <lib>/socket.py:706", "getresponse <lib>/http/client.py:1390",
        "charge providers.py:70", "handle app.py:20", *WORKER,
    )  # fmt: skip


def state(
    at, tid, syscall="futex", *, peer=None, futex=None, where="[heap]", pid=7, waits_for=None
):
    waits_for = waits_for or (f"tcp 127.0.0.1:5 -> {peer}" if peer else None)
    return ThreadState(
        at, pid, tid, "python3", "S", syscall, None, waits_for, peer, futex,
        where if futex else None,
    )  # fmt: skip


def states(*every):
    return ThreadStates(len({s.round for s in every}), every, ())


def readings(*every, of="host"):
    """Each reading is (name, subject, value, verdict) with an optional limit."""
    return Readings(
        tuple(
            Reading(name, subject, value, "1", limit[0] if limit else None, verdict, of=of)
            for name, subject, value, verdict, *limit in every
        )
    )


def waiting(at, tid, *frames, peer=None, syscall="recvfrom", pid=7, waits_for=None):
    """A stack joined with what the kernel said of the thread at that moment."""
    kernel = state(at, tid, syscall, peer=peer, pid=pid, waits_for=waits_for)
    return replace(stack(at, tid, *frames, pid=pid), kernel=kernel)


def calling(peer, count=8, **options):
    """Threads in a call to a peer, as a runtime and its kernel show them."""
    every = (
        waiting(
            n, n, "readinto <lib>/socket.py:706", "getresponse <lib>/http/client.py:1390",
            "charge providers.py:70", "handle app.py:20", *WORKER, peer=peer, **options,
        )
        for n in range(count)
    )  # fmt: skip
    return stacks(*every)


def peer(address="127.0.0.1:5432", *sessions, **fields):
    """A far end; each session is (title, count), those of the target."""
    values = {
        "protocol": "tcp", "service": None, "pid": None, "process": None, "own": False,
        "pids": (7,), "established": 4, "connecting": 0, "close_wait": 0,
        "sessions": tuple(ServerSession(title, True, count) for title, count in sessions),
    }  # fmt: skip
    return Peer(address, **{**values, **fields})


def peers(*every, own=()):
    return Peers(every, tuple(ServerSession(title, False, count) for title, count in own))


def cpu(value, pid=7):
    return Readings(
        (Reading(semconv.PROCESS_CPU_UTILIZATION, f"pid {pid}", value, "{cpu}", 2.0, "ok"),)
    )


def logs_screen(summary, findings=(), tz=None):
    """The screen of `locard logs` with what may be claimed of the log."""
    return screen(summary, logs_alone.conclude(summary).claims, findings, tz)


def row(what, result="", count=1, **more):
    """One row of what the kernel counted."""
    return Row(what, result, count=count, **more)


def system_calls(*calls, files=(), errors=(), ready=(), locks=(), seconds=5.0):
    """System calls of a process."""
    return SystemCalls(
        Observed(seconds, "eBPF"),
        tuple(calls),
        (),
        tuple(files),
        tuple(errors),
        tuple(locks),
        (),
        (),
        tuple(ready),
    )


def thread_wait(
    tid=8, state="S", call="futex", doing="waits on a futex", what="", share=0.9, looks=90, **more
):
    """One thread in one wait."""
    return ThreadWait(7, tid, f"t-{tid}", state, call, doing, what, looks, share, 0.2, **more)


def waits(*threads, locks=(), seconds=5.0):
    """Looks at the threads of a process."""
    return Waits(Observed(seconds, "eBPF"), 100, 20.0, tuple(threads), tuple(locks))


def lock(kind="mutex", holder="refresher", contended=True, **more):
    """A lock word that five threads wait for."""
    names = tuple(f"req-{k}" for k in range(5))
    return LockWait(
        7, 4096, "cfg_lock", "/srv/orders", kind, 50, 5, names, (10, 11, 12, 13, 14), 0.9, 0.18,
        holder, 9 if holder else None, 50 if holder else 0, (), contended, "says"
    )  # fmt: skip


def trace(program, *rows, seconds=5.0):
    """What one program counted."""
    return Trace(program, "says", Observed(seconds, "eBPF"), tuple(rows))


def thing(at, kind="pool", *, name="SQLAlchemy QueuePool", used=7, limit=7, tids=(8, 9), **more):
    """What threads wait in at one look."""
    values = {
        "label": "",
        "size": None,
        "tasks": (),
        "greenlets": 0,
        "holders": (),
        "holding_tasks": (),
    }
    values |= more
    return WaitedThing(at, 7, name, kind, address=4096, limit=limit, used=used, tids=tids, **values)


def things(*every):
    """The things of several looks."""
    return Contention(things=every)
