"""One investigation for all reports: fixed, with every part filled and hostile text in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from locard.claims.record import Record
from locard.claims.story import claimed
from locard.model.evidence import Evidence, Identity, Layer, Ran, Scope, Status
from locard.model.facts import (
    GoldenSignal,
    MetricsSummary,
    Reading,
    Readings,
    ThreadState,
    ThreadStates,
)
from locard.model.finding import Case, ContributingFactor, Finding, Role, Severity, Support
from locard.model.investigation import (
    Activity,
    Investigation,
    LayerState,
    ProbeRun,
    Question,
    Timings,
)
from locard.model.log_facts import (
    AffectedValue,
    Attempts,
    BlastRadius,
    ChangeLine,
    Correlate,
    ExampleTrace,
    ExceptionCount,
    Extent,
    FieldRole,
    GroupCount,
    LogSummary,
    MeasureShape,
    MessageCount,
    NumberChange,
    Onset,
    RatePoint,
    Silence,
    Skipped,
    TemplateChange,
)
from locard.model.target import Process, Target

START = 1_795_000_000.0
HOSTILE = "</script><b>x\x1b[31m\u202e`|*_"
IDENTITY = Identity("host-1", "root", 0, "alice")


def ran(*argv, **fields):
    values = {
        "argv": argv, "by_hand": " ".join(argv), "impact": "reads", "residue": (), "bound_s": 3.0,
        "program_digest": None, "identity": IDENTITY, "started": START + 62, "duration_s": 0.1,
        "exit_code": 0, "http_status": None, "timed_out": False, "truncated": False, "problem": "",
        "stdout": "ab" * 32, "stdout_bytes": 123, "stderr": "cd" * 32, "stderr_bytes": 0,
        "redacted": 1,
    }  # fmt: skip
    return Ran(**{**values, **fields})


def value(name, rate, requests=300):
    return AffectedValue(name, 0.002, rate, rate / 2, rate * 1.5, requests)


def log(**fields):
    series = tuple(
        RatePoint(START + n, 1.0, 60, 30 if n >= 40 else 0, 20.0, 1800.0 if n >= 40 else 55.0)
        for n in range(60)
    )
    values = {
        "source": "/var/log/pay.log", "lines": 3700, "records": 3600,
        "skipped": (Skipped("not JSON", 100, HOSTILE),),
        "roles": (FieldRole("time", "time", "its name and ISO 8601 values"),),
        "first": START, "last": START + 60, "error_means": "status >= 500",
        "bad_means": "slower than 150 ms, or an error", "changed": ("errors", "latency"),
        "shape": "step", "onset": Onset(START + 39, START + 41, 0.95), "series": series,
        "before_total": 2400, "before_bad": 5, "after_total": 1200, "after_bad": 600,
        "before_p50_ms": 18.0, "before_p99_ms": 55.0, "after_p50_ms": 20.0,
        "after_p99_ms": 1800.0,
        "groups": (GroupCount("region", "east", 600, 1, 300, 290),),
        "blast_radius": (
            BlastRadius("path", (value("/pay", 0.4), value("/quote", 0.5)), (), ()),
            BlastRadius("region", (value("east", 0.96),), (value("west", 0.003),),
                        (value("moon", 0.1, 7),)),
            BlastRadius("agent", (), (), (value(HOSTILE, 0.1, 9),)),
        ),
        "correlates": (Correlate((("region", "east"),), 590, 588.0, 0.98, 29.0, 1e-40),),
        "messages": (MessageCount("upstream timed out", 0, 300, HOSTILE),),
        "trace_ids": ("4bf92f3577b34da6",), "gaps": ("no field names the instance",),
        "engine": "native",
        "shapes": (
            MeasureShape("volume", "periodic", period_s=600.0),
            MeasureShape("errors", "step", Onset(START + 39, START + 41, 0.95), None, 0.0, 0.5),
        ),
        "further_onsets": (Onset(START + 50, START + 52, 0.9),),
        "silences": (
            Silence("pod", HOSTILE, Onset(START + 20, START + 21, 0.95), None, 3.5, 0.001,
                    last_words=HOSTILE),
        ),
        "changes": (ChangeLine("config", f"reloaded {HOSTILE}", START + 40, START + 40, 1, 0, 5, 55),),
        "attempts": Attempts(40.0, 2400, 2400, 20.0, 1200, 800),
        "templates": (
            TemplateChange("new", f"timed out after <*> {HOSTILE}", 0, 300, HOSTILE),
            TemplateChange("vanished", "served <*>", 2000, 0, HOSTILE),
        ),
        "numbers": (NumberChange("limit is <*>", 1, 50.0, 5000.0, f"limit is 5000 {HOSTILE}"),),
        "exceptions": (ExceptionCount("TimeoutError", f"call (client.py:7) {HOSTILE}", 0, 290, 2410),),
        "examples": (ExampleTrace("slowest", "$(reboot)|", 1800.0),),
    }  # fmt: skip
    return LogSummary(**{**values, **fields})


def evidence(number, layer, probe, *facts, status=Status.OK, problem="", runs=None):
    runs = runs or (ran("/usr/bin/grep", "-H", "", f"/proc/{HOSTILE}"),)
    return Evidence(f"e{number}", probe, layer, status, Scope((4242,)), runs, facts, problem)


def probe_run(item, **fields):
    return ProbeRun(
        item.probe, item.layer, item.status.value, item.id, "says something", duration_s=0.5,
        **fields,
    )  # fmt: skip


def investigation(**fields):
    supports = (
        Support("e1", Layer.LOGS, f"590 of 600 bad requests have region=east {HOSTILE}"),
        Support("e2", Layer.METRICS, "mean 18 ms before, 400 ms now"),
    )
    against = (Support("e3", Layer.HOST, "the network is healthy"),)
    finding = Finding(
        "upstream-slow", Layer.LOGS, Role.MECHANISM, Severity.CRITICAL,
        f"The upstream bank answers slowly for region=east {HOSTILE}", "detail", supports, against,
        0.98, (("region", "east"),), ("ss -tnp dst 127.0.0.1",), "f1",
    )  # fmt: skip
    scope = Finding(
        "one-segment-affected", Layer.LOGS, Role.SCOPE, Severity.WARNING,
        "Only region=east is affected", "detail", supports[:1], id="f2",
    )  # fmt: skip
    logs = evidence(1, Layer.LOGS, "first-pass", log())
    signal = GoldenSignal(
        "latency", "http_request_duration_seconds", (("statistic", "p99"),), "s", 0.05, 1.8, 120,
        detail="in the bucket 1 to 2.5 s",
    )  # fmt: skip
    metrics = evidence(
        2,
        Layer.METRICS,
        "exposition",
        MetricsSummary("http://127.0.0.1:1/metrics", 9, 40, 2.0, (signal,)),
    )
    host = evidence(
        3, Layer.HOST, "memory", Readings((Reading("system.memory", "system", 5e9, "By", 8e9, "ok"),)),
        status=Status.PARTIAL, problem="stopped after its time bound",
    )  # fmt: skip
    waiting = ThreadState(
        0, 4242, 4243, "pay", "S", "recvfrom", None, "tcp 127.0.0.1:5 -> 127.0.0.1:9102",
        "127.0.0.1:9102",
    )  # fmt: skip
    kernel = evidence(4, Layer.KERNEL, "thread-states", ThreadStates(1, (waiting,), ()))
    skip = ProbeRun("stacks", Layer.RUNTIME, "skipped", why="not Python", unlock="wait for more")
    values = {
        "version": "0.1.0", "incident": "20261123-1-pay-0001", "ledger": "/state/x.ledger",
        "head": "ef" * 32, "question": Question("proc/pay"),
        "target": Target("proc/pay", "proc", "pay", "host-1",
                         (Process(4242, 1, 9, START, 0, "pay", ("pay", HOSTILE)),)),
        "identity": IDENTITY, "started": START + 61, "ended": START + 70,
        "partial": ("host/memory: stopped after its time bound",),
        "layers": (
            LayerState(Layer.LOGS, "ran", (probe_run(logs),)),
            LayerState(Layer.METRICS, "ran", (probe_run(metrics),)),
            LayerState(Layer.RUNTIME, "skipped", (skip,), "not Python", "wait for more"),
            LayerState(Layer.KERNEL, "ran", (probe_run(kernel),)),
            LayerState(Layer.HOST, "partial", (probe_run(host),)),
        ),
        "evidence": (logs, metrics, host, kernel), "findings": (finding, scope),
        "contributing_factors": (
            ContributingFactor(1, "upstream-slow", "f1", finding.title, finding.confidence, 0.98,
                               supports, against, finding.next_commands[0]),
        ),
        "activities": (
            Activity("waits for the answer of 127.0.0.1:9102", "call (app/client.py:7)",
                     "busy", 30, 0.75, (4242,), ("call (app/client.py:7)",)),
            Activity("idle", "_worker (thread.py:81)", "idle", 60, 0.0, (4242,), ()),
        ),
        "timings": Timings(1.1, 9.0), "redacted": 3,
    }  # fmt: skip
    return remade(Investigation(**{"claims": (), **values, **fields}))


def remade(found, **fields):
    """An investigation with other parts, and what may be claimed of it."""
    found = replace(found, **fields)
    case = Case("proc/pay", found.ended, found.evidence)
    record = Record(
        case, found.started, found.findings, found.contributing_factors, found.activities,
        found.layers, found.target, found.partial,
    )  # fmt: skip
    return replace(found, claims=claimed(record))


@pytest.fixture
def remake():
    return remade


@pytest.fixture
def found():
    return investigation()


@pytest.fixture
def nothing():
    """A healthy service: everything was looked at, nothing was found."""
    series = tuple(replace(p, errors=0, p99_ms=55.0) for p in log().series)
    quiet = log(
        series=series,
        changed=(), onset=None, shape="flat", blast_radius=(), correlates=(), messages=(),
        after_total=0, after_bad=0, shapes=(), further_onsets=(), silences=(), changes=(),
        attempts=None, templates=(), numbers=(), exceptions=(), examples=(),
        extent=Extent(requests=3600, errors=0, errors_by=("status",), levels=2, statuses=2),
        skipped=(),
    )  # fmt: skip
    item = evidence(1, Layer.LOGS, "first-pass", quiet)
    return investigation(
        findings=(), contributing_factors=(), partial=(), evidence=(item,), activities=(),
        layers=(LayerState(Layer.LOGS, "ran", (probe_run(item),)),),
    )  # fmt: skip
