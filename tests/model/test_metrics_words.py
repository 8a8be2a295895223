"""What metrics say in words: an open end stays one."""

from __future__ import annotations

from locard.model.facts import GoldenSignal, MetricsSummary
from locard.model.metrics_words import summary, value


def signal(kind, unit, now, statistic="", now_in=None, exemplars=()):
    subject = (("kind", "server"), *((("statistic", statistic),) if statistic else ()))
    return GoldenSignal(
        kind, "http", subject, unit, None, now, 9, now_in=now_in, exemplars=exemplars
    )


def said(*signals):
    return summary(MetricsSummary("http://127.0.0.1:1/metrics", 1, 1, 2.0, signals))


def test_values():
    assert value(0.31, (0.1, 0.5), "s") == "0.31 s"
    assert value(None, (1.0, None), "s") == "> 1 s"
    assert value(None, (None, 0.1), "s") == "<= 0.1 s, nothing finer"
    assert value(None, (None, None), "s") == value(None, None, "s") == "unknown"


def test_the_line_shows_the_tail_and_a_trace():
    line = said(
        signal("latency", "s", 0.05, "p50", (0.0, 0.1)),
        signal("latency", "s", None, "p99", (1.0, None), ("4bf92f",)),
        signal("traffic", "{request}/s", 20.0),
        signal("errors", "1", 0.0525),
    )
    assert (
        line
        == "traffic 20 {request}/s (http); errors 5.2% (http); latency p99 > 1 s (http), trace 4bf92f"
    )
    assert said(signal("saturation", "1", 8.0)) == "saturation 8 (http)"
    assert (
        said(signal("latency", "s", None, "p99", (None, None)))
        == "1 series, no golden signal among them"
    )
