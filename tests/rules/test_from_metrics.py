"""Rules that metrics alone let fire, each beside a near miss of the same metrics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from locard.model.evidence import Evidence, Layer, Scope, Status
from locard.model.finding import Case
from locard.model.log_facts import Onset
from metric_series import END, LENGTH, ON, counter, findings, level, series, told
from rules.builders import log

UP = {"job": "pay", "instance": "pay-a:80"}
BOX = {"namespace": "n", "pod": "p-0", "container": "c"}
POOL = {"application": "o", "instance": "o:1", "pool": "P"}
XS = np.arange(LENGTH)


def ramp(low, high, begin=300):
    rnd = np.random.default_rng(3).normal(0, low / 200, LENGTH)
    return low + (high - low) * np.clip((XS - begin) / (LENGTH - begin), 0, 1) + rnd


def pool(active, pending, timeouts=0.0, held=(0.12, 0.45)):
    rnd = np.random.default_rng(2)
    n = np.full(LENGTH, 300.0)
    took = np.where(XS < ON - 3, held[0], held[1]) * rnd.uniform(0.95, 1.05, LENGTH)
    return (
        series("hikaricp_connections_active", active, **POOL), series("hikaricp_connections_max", level(10), **POOL),
        series("hikaricp_connections_pending", pending, **POOL),
        counter("hikaricp_connections_timeout_total", np.where(XS < ON, 0, timeouts), **POOL),
        counter("hikaricp_connections_usage_seconds_count", n, **POOL),
        counter("hikaricp_connections_usage_seconds_sum", n * took, **POOL),
    )  # fmt: skip


def throttled(before, after):
    share = np.where(XS < ON, before, after)
    return (counter("container_cpu_cfs_periods_total", np.full(LENGTH, 150), **BOX),
            counter("container_cpu_cfs_throttled_periods_total", np.random.default_rng(1).binomial(150, share), **BOX))  # fmt: skip


def memory(name, values, **more):
    return (series(name, values, **BOX), series("container_spec_memory_limit_bytes", level(2e9), **BOX),
            *(series(k, v, **BOX) for k, v in more.items()))  # fmt: skip


def fds(before, after):
    return (
        series("process_open_fds", level(before, after, noise=2), **UP),
        series("process_max_fds", level(1024), **UP),
    )


def cpu(before, after):
    used = (
        np.where(XS < ON, before, after) * 15 * np.random.default_rng(1).uniform(0.97, 1.03, LENGTH)
    )
    return (
        counter("container_cpu_usage_seconds_total", used, **BOX),
        series("container_spec_cpu_quota", level(200000), **BOX),
    )


def disk(free):
    where = {"instance": "db-1:9100", "device": "/dev/sdb", "mountpoint": "/data"}
    return (
        series("node_filesystem_avail_bytes", free, **where),
        series("node_filesystem_size_bytes", level(5e11), **where),
    )


def starts(every):
    values = [
        END - 1e6 if i < ON else END - (LENGTH - 1 - i + (i - ON) % every) * 15
        for i in range(LENGTH)
    ]
    return (series("container_start_time_seconds", values, **BOX),)


def errors(before, after):
    bad = np.random.default_rng(4).binomial(300, np.where(XS < ON, before, after))
    return (
        counter("http_requests_total", 300 - bad, code="200", **UP),
        counter("http_requests_total", bad, code="500", **UP),
    )


CASES = [
    ("connection-pool-exhausted", pool(level(4, 10), level(0, 150), 160), pool(level(10), level(0, noise=0.3), held=(0.3, 0.3))),
    ("connection-pool-exhausted", pool(level(4, 10), level(0, 30)), pool(level(4, 10), level(0))),
    ("cpu-throttled", throttled(0.015, 0.6), throttled(0.4, 0.4)),
    ("memory-leak", memory("container_memory_rss", ramp(8e8, 1.9e9)), memory("container_memory_rss", level(1.8e9, noise=9e6))),
    ("memory-leak", memory("container_memory_rss", ramp(8e8, 1.9e9)),
     memory("container_memory_working_set_bytes", ramp(9e8, 1.95e9), container_memory_rss=level(8e8, noise=4e6))),
    ("fd-exhaustion", fds(80, 1000), fds(80, 300)),
    ("queue-saturated", (series("jobs_queue_depth", level(3, 900, noise=1), **UP),),
     (series("jobs_queue_depth", level(900, noise=9), **UP),)),
    ("cpu-saturation", cpu(0.5, 1.97), cpu(0.5, 1.0)),
    ("oom-kill", (counter("container_oom_events_total", (XS == ON).astype(float), **BOX),),
     (counter("container_oom_events_total", np.zeros(LENGTH), start=3, **BOX),)),
    ("restart-loop", starts(12), starts(10_000)),
    ("disk-full", disk(ramp(2.7e11, 1.2e10)), disk(ramp(2.7e11, 2.0e11))),
    ("service-degraded", errors(0.003, 0.2), errors(0.003, 0.003)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "fault", "near"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)]
)
def test_it_fires_and_the_near_miss_does_not(rule, fault, near):
    found = findings(told(*fault))
    assert rule in found
    assert found[rule].supports
    assert all(c.startswith(("locard metrics ", "kubectl ")) for c in found[rule].next_commands)
    assert rule not in findings(told(*near))


def test_the_pool_is_the_mechanism_and_what_holds_it_came_first():
    finding = findings(told(*pool(level(4, 10), level(0, 150), 160)))["connection-pool-exhausted"]
    assert "are held 45" in finding.title
    assert "where they were held 12" in finding.title
    assert any("45 s before the pool was full" in s.says for s in finding.supports)


def test_a_level_that_is_bad_all_along_is_said_so():
    finding = findings(told(*errors(0.065, 0.065)))["service-degraded"]
    assert "bad all along" in finding.title


def test_two_layers_that_agree_make_one_strong_finding():
    summary = replace(
        log(changed=("errors",)),
        onset=Onset(END - (LENGTH - 1 - ON) * 15 - 5, END - (LENGTH - 1 - ON) * 15, 0.95),
    )
    history = told(*errors(0.003, 0.2))
    evidence = [Evidence("e1", "log", Layer.LOGS, Status.OK, Scope(), (), (summary,)),
                Evidence("e2", "prometheus", Layer.METRICS, Status.OK, Scope(), (), (history,))]  # fmt: skip
    from locard.rules.service_degraded import judge

    finding = next(iter(judge(Case("x", END, tuple(evidence)))))
    assert {s.layer for s in finding.supports} == {Layer.LOGS, Layer.METRICS}
    assert any("confirms it" in s.says for s in finding.supports)
    # Metrics that saw enough requests and no change contradict the log.
    steady = replace(evidence[1], facts=(told(*errors(0.003, 0.003)),))
    finding = next(iter(judge(Case("x", END, (evidence[0], steady)))))
    assert any("contradicts it" in s.says for s in finding.against)
