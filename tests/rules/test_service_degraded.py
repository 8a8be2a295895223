"""service-degraded: what an onset, a bad level or an end means for those who are served."""

import datetime as dt
from dataclasses import replace

from locard.model.evidence import Evidence, Layer, Scope, Status
from locard.model.facts import GoldenSignal, MetricsSummary
from locard.model.finding import Case, Role, Severity
from locard.model.log_facts import Correlate, Extent, LogSummary, Onset, RatePoint
from locard.report import told
from locard.rules import service_degraded


def judge(facts):
    """What the rule finds, as a reader in UTC gets it."""
    return [told.finding(f, dt.UTC) for f in service_degraded.judge(facts)]


LOG = LogSummary(
    source="/var/log/x.log", lines=100, records=100, skipped=(), roles=(), first=0.0, last=100.0,
    error_means="status >= 500", bad_means="slow", changed=("latency",), shape="step",
    onset=Onset(49.0, 51.0, 0.95), series=(), before_total=3000, before_bad=30, after_total=1500,
    after_bad=600, before_p50_ms=20.0, before_p99_ms=50.0, after_p50_ms=60.0, after_p99_ms=900.0,
    groups=(), blast_radius=(), correlates=(), messages=(), trace_ids=(), gaps=(), engine="native",
)  # fmt: skip


def signal(statistic, before, now, limit=None, p_value=None):
    subject = (("kind", "server"), ("statistic", statistic))
    return GoldenSignal("latency", "http", subject, "s", before, now, 200, limit, p_value=p_value)


def case(log, *signals):
    logs = Evidence("e1", "first-pass", Layer.LOGS, Status.OK, Scope(), (), (log,))
    metrics = MetricsSummary("http://127.0.0.1:1/metrics", 1, 1, 2.0, signals)
    numbers = Evidence("e2", "exposition", Layer.METRICS, Status.OK, Scope(), (), (metrics,))
    return Case("proc/x", 100.0, (logs, numbers))


def test_fires_when_the_logs_show_a_change():
    (finding,) = judge(case(LOG))
    assert finding.role is Role.SCOPE
    assert finding.severity is Severity.CRITICAL
    assert "40 % of requests are bad (slow), 1.0 % before" in finding.title
    assert finding.evidence == ("e1",)


def test_fires_with_the_metrics_for_or_against_it():
    rose = case(LOG, signal("mean", 0.02, 0.2), signal("share_over", 0.01, 0.5, 0.1, 1e-9))
    (finding,) = judge(rose)
    assert finding.evidence == ("e1", "e2")
    assert not finding.against
    steady = case(LOG, signal("mean", 0.02, 0.021), signal("share_over", 0.01, 0.01, 0.1, 0.6))
    (finding,) = judge(steady)
    assert [s.layer for s in finding.against] == [Layer.METRICS]


def test_names_those_for_whom_alone_it_got_worse():
    some = Correlate((("upstream", "bank"),), 50, 45.0, 0.9, 12.0, 1e-9)
    faint = replace(LOG, changed=("errors",), after_bad=60, of_part=True, correlates=(some,))
    (finding,) = judge(case(faint))
    assert finding.title.startswith("The service got worse for upstream=bank only: 4.0 % of ")


def test_bad_is_said_in_words():
    means = {
        "status >= 500": "40 % of requests fail, 1.0 % before",
        "slower than 60 ms": "40 % of requests take longer than 60 ms, 1.0 % before",
        "status >= 500, or slower than 60 ms": "40 % of requests fail or take longer than 60 ms",
    }
    for bad, said in means.items():
        (finding,) = judge(case(replace(LOG, bad_means=bad)))
        assert said in finding.title


def test_what_is_over_is_told_in_the_past_and_is_not_critical():
    def point(start, errors):
        return RatePoint(start, 10.0, 100, errors)

    series = tuple(point(10.0 * n, 60 if 5 <= n < 8 else 0) for n in range(12))
    past = replace(
        LOG, changed=("errors",), bad_means=LOG.error_means, series=series, end=80.0, last=120.0,
        shape="spike", extent=Extent(read_at=600.0),
    )  # fmt: skip
    (finding,) = judge(case(past))
    assert finding.title.startswith("The service was worse for a while: 40 % of requests failed")
    assert "over since 00:01:20 UTC, 9 min before it was read" in finding.title
    assert finding.severity is Severity.WARNING
    bad_again = tuple(point(10.0 * n, 60 if n >= 5 else 0) for n in range(12))
    (finding,) = judge(case(replace(past, series=bad_again)))
    assert finding.title.startswith("The service got worse")
    assert finding.severity is Severity.CRITICAL


def test_latency_that_fell_is_not_said_to_have_risen():
    faster = replace(
        LOG, changed=("errors", "latency"), before_p99_ms=83.0, after_p99_ms=53.0,
        before_p50_ms=20.0, after_p50_ms=19.0,
    )  # fmt: skip
    (finding,) = judge(case(faster))
    assert "ms" not in finding.title
    (finding,) = judge(case(LOG))
    assert "p99 50 ms to 900 ms" in finding.title


def test_a_log_that_is_bad_all_along_is_a_finding():
    flat = replace(LOG, changed=(), onset=None, shape="flat", after_bad=0)
    extent = Extent(requests=1000, errors=400, errors_by=("status",), statuses=2)
    (finding,) = judge(case(replace(flat, extent=extent)))
    assert finding.title.startswith(
        "Bad from its first line at 00:00:00 UTC to its last: 400 of 1,000"
    )
    assert not list(judge(case(replace(flat, extent=replace(extent, errors=4)))))


def test_quiet_when_nothing_changed():
    quiet = replace(LOG, changed=(), onset=None, shape="flat", after_total=0, after_bad=0)
    assert not list(judge(case(quiet)))
